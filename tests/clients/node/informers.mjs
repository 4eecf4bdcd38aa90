// Watches, informers and their caches.
import assert from 'node:assert/strict';
import * as k8s from '@kubernetes/client-node';
import { config, core, namespace, run, until } from './session.mjs';

const map = (name, value) => ({ metadata: { name, labels: { own: 'yes' } }, data: { value } });

await run(async () => {
    await core.createNamespacedConfigMap({ namespace, body: map('old', '1') });
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const seen = [];
    const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'own=yes' });
    const informer = k8s.makeInformer(config, path, list, 'own=yes');
    for (const verb of ['add', 'update', 'delete']) {
        informer.on(verb, (item) => seen.push(`${verb} ${item.metadata.name} ${item.data.value}`));
    }
    let errors = 0;
    informer.on('error', () => {
        errors += 1;
        setTimeout(() => informer.start(), 20);
    });
    await informer.start();
    await until('the first add', () => seen.includes('add old 1'));
    await core.createNamespacedConfigMap({ namespace, body: map('new', '1') });
    await core.createNamespacedConfigMap({
        namespace,
        body: { metadata: { name: 'unseen' } },
    });
    await until('an add', () => seen.includes('add new 1'));
    await core.replaceNamespacedConfigMap({ name: 'new', namespace, body: map('new', '2') });
    await until('an update', () => seen.includes('update new 2'));
    assert.equal(informer.get('new', namespace).data.value, '2');
    await core.deleteNamespacedConfigMap({ name: 'new', namespace });
    await until('a delete', () => seen.includes('delete new 2'));
    assert.equal(informer.get('new', namespace), undefined);
    assert.deepEqual(informer.list(namespace).map((item) => item.metadata.name), ['old']);
    assert.equal(errors, 0);
    await informer.stop();

    const events = [];
    let ended;
    const end = new Promise((resolve) => { ended = resolve; });
    const { metadata } = await list();
    const watch = new k8s.Watch(config);
    await watch.watch(
        path,
        { resourceVersion: metadata.resourceVersion, allowWatchBookmarks: true, timeoutSeconds: 2 },
        (type, item) => events.push(`${type} ${item.metadata.name ?? ''}`.trim()),
        (error) => ended(error),
    );
    await core.createNamespacedConfigMap({ namespace, body: map('third', '3') });
    await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector: 'own=yes' });
    await end;
    assert.deepEqual(
        events.filter((event) => !event.startsWith('BOOKMARK')).sort(),
        ['ADDED third', 'DELETED old', 'DELETED third'],
    );
});
