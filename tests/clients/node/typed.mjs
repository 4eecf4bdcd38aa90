// Typed clients of several groups, over the life of a Deployment and its pods.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import * as k8s from '@kubernetes/client-node';
import { config, core, namespace, refused, run, sleeper, until } from './session.mjs';

await run(async () => {
    const apps = config.makeApiClient(k8s.AppsV1Api);
    const made = await apps.createNamespacedDeployment({ namespace, body: sleeper('web', 2) });
    assert.ok(made.metadata.creationTimestamp instanceof Date);
    assert.equal(made.spec.strategy.rollingUpdate.maxSurge, '25%');
    await until('readiness', async () => {
        const found = await apps.readNamespacedDeployment({ name: 'web', namespace });
        return found.status.readyReplicas === 2;
    });

    const scale = await apps.readNamespacedDeploymentScale({ name: 'web', namespace });
    scale.spec.replicas = 1;
    await apps.replaceNamespacedDeploymentScale({ name: 'web', namespace, body: scale });
    const patched = await apps.patchNamespacedDeployment(
        { name: 'web', namespace, body: { spec: { template: { metadata: { labels: { v: '2' } } } } } },
        k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch),
    );
    assert.deepEqual(patched.spec.template.metadata.labels, { app: 'web', v: '2' });
    const operations = [{ op: 'replace', path: '/spec/replicas', value: 3 }];
    const replaced = await apps.patchNamespacedDeployment({ name: 'web', namespace, body: operations });
    assert.equal(replaced.spec.replicas, 3);
    made.spec.replicas = 0;
    const conflict = await refused(
        apps.replaceNamespacedDeployment({ name: 'web', namespace, body: made }),
        409,
    );
    assert.equal(conflict.reason, 'Conflict');
    const wrong = sleeper('wrong', -1);
    const invalid = await refused(apps.createNamespacedDeployment({ namespace, body: wrong }), 422);
    assert.equal(invalid.details.causes[0].field, 'spec.replicas');

    await until('the rollout', async () => {
        const { status } = await apps.readNamespacedDeployment({ name: 'web', namespace });
        return status.updatedReplicas === 3 && status.readyReplicas === 3 && status.replicas === 3;
    });
    const pods = await core.listNamespacedPod({ namespace, labelSelector: 'app=web,v=2' });
    const [pod] = pods.items;
    const nodes = await core.listNode();
    assert.ok(nodes.items.some((node) => node.metadata.name === pod.spec.nodeName));
    const stream = new PassThrough();
    await new k8s.Log(config).log(namespace, pod.metadata.name, 'main', stream, { tailLines: 1 });

    const batch = config.makeApiClient(k8s.BatchV1Api);
    const job = {
        metadata: { name: 'once' },
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } } },
    };
    assert.equal((await batch.createNamespacedJob({ namespace, body: job })).spec.backoffLimit, 6);
    const secret = await core.createNamespacedSecret({
        namespace,
        body: { metadata: { generateName: 's-' }, stringData: { k: 'v' } },
    });
    assert.equal(Buffer.from(secret.data.k, 'base64').toString(), 'v');
    const pages = [];
    let _continue;
    do {
        const page = await core.listNamespacedPod({ namespace, limit: 1, _continue });
        pages.push(page.items.length);
        _continue = page.metadata._continue;
    } while (_continue);
    assert.ok(pages.length >= 2 && pages.every((length) => length === 1));
    const access = config.makeApiClient(k8s.AuthorizationV1Api);
    const review = await access.createSelfSubjectAccessReview({
        body: { spec: { resourceAttributes: { verb: 'create', resource: 'pods', namespace } } },
    });
    assert.equal(review.status.allowed, true);
    await apps.deleteNamespacedDeployment({
        name: 'web',
        namespace,
        propagationPolicy: 'Foreground',
    });
    await until('deletion', async () => (await apps.listNamespacedDeployment({ namespace })).items.length === 0);
    const left = await apps.listNamespacedReplicaSet({ namespace });
    assert.equal(left.items.length, 0);
    await refused(apps.readNamespacedDeployment({ name: 'web', namespace }), 404);
});
