// The client that takes any manifest: patches of each type, apply, custom kinds, kinds by discovery.
import assert from 'node:assert/strict';
import * as k8s from '@kubernetes/client-node';
import { config, namespace, refused, run, sleeper, until } from './session.mjs';

const header = (name, data) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    ...(data ? { data } : {}),
});

await run(async () => {
    const any = k8s.KubernetesObjectApi.makeApiClient(config);
    for (const manifest of k8s.loadAllYaml(
        k8s.dumpYaml(header('one', { a: '1' })) + '---\n' + k8s.dumpYaml(sleeper('web', 0)),
    )) {
        await any.create(manifest);
    }
    assert.equal((await any.read(header('one'))).data.a, '1');
    await refused(any.create(header('one', { a: '1' })), 409);
    const strategies = [
        [k8s.PatchStrategy.StrategicMergePatch, { b: '2' }],
        [k8s.PatchStrategy.MergePatch, { a: null, c: '3' }],
    ];
    for (const [strategy, data] of strategies) {
        await any.patch(header('one', data), undefined, undefined, 'me', undefined, strategy);
    }
    assert.deepEqual((await any.read(header('one'))).data, { b: '2', c: '3' });
    const apply = (body, manager, force) =>
        any.patch(body, undefined, undefined, manager, force, k8s.PatchStrategy.ServerSideApply);
    await apply(header('shared', { a: '1', b: '1' }), 'first');
    const conflict = await refused(apply(header('shared', { b: '2' }), 'second'), 409);
    assert.equal(conflict.details.causes[0].field, '.data.b');
    await apply(header('shared', { b: '2' }), 'second', true);
    const left = await apply(header('shared', {}), 'first');
    assert.deepEqual(left.data, { b: '2' });
    const dry = await any.delete(header('one'), undefined, 'All');
    assert.equal(dry.status, 'Success');
    const listed = await any.list('v1', 'ConfigMap', namespace, undefined, undefined, undefined, 'metadata.name=one');
    assert.equal(listed.items.length, 1);
    await any.delete(header('one'));
    await refused(any.read(header('one')), 404);
    await any.delete(sleeper('web', 0), undefined, undefined, undefined, undefined, 'Foreground');

    const definition = k8s.loadYaml(process.env.SESSION_DEFINITION); // into the names that models have
    await any.create(definition);
    await until('the kind', async () => {
        const found = await any.read(definition);
        return found.status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True');
    });
    const { group, names } = definition.spec;
    const custom = config.makeApiClient(k8s.CustomObjectsApi);
    const place = { group, version: 'v1', namespace, plural: names.plural };
    const body = { apiVersion: `${group}/v1`, kind: names.kind, metadata: { name: 'x' }, spec: { size: 1 } };
    const made = await custom.createNamespacedCustomObject({ ...place, body });
    assert.equal(made.spec.limit, 10);
    const invalid = await refused(
        custom.createNamespacedCustomObject({ ...place, body: { ...body, spec: { size: 11 } } }),
        422,
    );
    assert.match(invalid.message, /size must not exceed limit/);
    await custom.patchNamespacedCustomObjectStatus(
        { ...place, name: 'x', body: { status: { phase: 'Ready' } } },
        k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    );
    const own = { ...body, metadata: { name: 'x', namespace } };
    const read = await any.read(own);
    assert.equal(read.status.phase, 'Ready');
    await apply({ ...own, spec: { color: 'red' } }, 'second');
    assert.deepEqual((await any.read(own)).spec, { size: 1, limit: 10, color: 'red' });
    await any.delete(definition);
    await until('the end of the kind', async () => {
        try {
            await custom.listNamespacedCustomObject(place);
        } catch (error) {
            return error.code === 404;
        }
        return false;
    });
});
