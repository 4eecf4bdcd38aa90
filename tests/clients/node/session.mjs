// What every session shares: the client of the cluster, a namespace of its own, waiting with an end.
import assert from 'node:assert/strict';
import * as k8s from '@kubernetes/client-node';

export const namespace = process.env.SESSION_NAMESPACE;
export const config = new k8s.KubeConfig();
config.loadFromDefault();
export const core = config.makeApiClient(k8s.CoreV1Api);

export async function run(session) {
    await core.createNamespace({ body: { metadata: { name: namespace } } });
    await session();
    await core.deleteNamespace({ name: namespace });
    console.log('session ended');
    process.exit(0); // whatever sockets the library still holds
}

export async function until(what, look) {
    const end = Date.now() + 40000;
    for (;;) {
        const found = await look();
        if (found) return found;
        assert.ok(Date.now() < end, `${what} did not come`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

export async function refused(promise, code) {
    try {
        await promise;
    } catch (error) {
        assert.equal(error.code, code, String(error.body ?? error));
        return typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
    }
    return assert.fail('it was not refused');
}

export function sleeper(name, replicas) {
    const labels = { app: name };
    const container = { name: 'main', image: 'sleeper:1', command: ['sleep', '3600'] };
    return {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace, labels },
        spec: {
            replicas,
            selector: { matchLabels: labels },
            template: {
                metadata: { labels },
                spec: { terminationGracePeriodSeconds: 1, containers: [container] },
            },
        },
    };
}
