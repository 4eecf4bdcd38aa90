// A client of the API that speaks protobuf with upstream's own code. It prints one line for each
// thing that holds and ends with code 1 at the first that does not.
//
// Built on client-go's REST client, as its typed clients are: compiling those would take minutes.
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	protobuf = "application/vnd.kubernetes.protobuf"
	own      = "of=go" // a namespace may hold what a controller puts there
)

var (
	scheme     = runtime.NewScheme()
	codecs     = serializer.NewCodecFactory(scheme)
	parameters = runtime.NewParameterCodec(scheme)
	ctx        = context.Background()
	namespace  = os.Args[2]
)

func check(holds bool, what string, details ...any) {
	if !holds {
		fmt.Println("FAILED", what, details)
		os.Exit(1)
	}
	fmt.Println("ok", what)
}

func must(err error, what string) {
	check(err == nil, what, err)
}

func client(config *rest.Config, group schema.GroupVersion, contentType string) *rest.RESTClient {
	made := rest.CopyConfig(config)
	made.GroupVersion = &group
	made.APIPath = "/apis"
	if group.Group == "" {
		made.APIPath = "/api"
	}
	made.ContentType = contentType
	made.AcceptContentTypes = contentType
	made.NegotiatedSerializer = codecs.WithoutConversion()
	found, err := rest.RESTClientFor(made)
	must(err, "a client for "+contentType)
	return found
}

func pod(name string) *corev1.Pod {
	seconds := int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "x"}, Annotations: map[string]string{"text": "é"}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &seconds,
			Containers: []corev1.Container{{
				Name:  "c",
				Image: "i",
				Resources: corev1.ResourceRequirements{
					Limits: corev1.ResourceList{"cpu": resource.MustParse("0.5"), "memory": resource.MustParse("1Gi")},
				},
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
					HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("http")},
				}},
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 80}},
			}},
			Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
}

func deployment(name string) *appsv1.Deployment {
	replicas := int32(0)
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       pod(name).Spec,
			},
		},
	}
}

// alike compares what the decoders make of the two encodings of one answer.
func alike(one, other *rest.RESTClient, resource, name string, empty func() runtime.Object) {
	json, binary := empty(), empty()
	must(one.Get().Namespace(namespace).Resource(resource).Name(name).Do(ctx).Into(json), "get as JSON")
	must(other.Get().Namespace(namespace).Resource(resource).Name(name).Do(ctx).Into(binary), "get as protobuf")
	check(equality.Semantic.DeepEqual(json, binary), resource+" are alike in both", json, binary)
}

func writes(config *rest.Config) {
	core := client(config, corev1.SchemeGroupVersion, protobuf)
	coreJSON := client(config, corev1.SchemeGroupVersion, "application/json")
	apps := client(config, appsv1.SchemeGroupVersion, protobuf)
	appsJSON := client(config, appsv1.SchemeGroupVersion, "application/json")

	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	must(core.Post().Resource("namespaces").Body(space).Do(ctx).Error(), "create a namespace")
	made := &corev1.Pod{}
	must(core.Post().Namespace(namespace).Resource("pods").Body(pod("p")).Do(ctx).Into(made), "create a pod")
	check(made.UID != "" && !made.CreationTimestamp.IsZero(), "the pod has an identity", made)
	check(*made.Spec.TerminationGracePeriodSeconds == 0, "a zero behind a pointer is kept", made)
	again := core.Post().Namespace(namespace).Resource("pods").Body(pod("p")).Do(ctx).Error()
	check(errors.IsAlreadyExists(again), "a second one is refused", again)
	bad := core.Post().Namespace(namespace).Resource("pods").Body(pod("Bad_Name")).Do(ctx).Error()
	check(errors.IsInvalid(bad), "a bad name is refused", bad)
	causes := bad.(errors.APIStatus).Status().Details.Causes
	check(len(causes) == 1 && causes[0].Field == "metadata.name", "with its cause", causes)

	stale := made.DeepCopy()
	made.Labels["more"] = "1"
	changed := &corev1.Pod{}
	must(core.Put().Namespace(namespace).Resource("pods").Name("p").Body(made).Do(ctx).Into(changed), "update")
	check(changed.Labels["more"] == "1", "the update is there", changed)
	late := core.Put().Namespace(namespace).Resource("pods").Name("p").Body(stale).Do(ctx).Error()
	check(errors.IsConflict(late), "a stale update is refused", late)
	changed.Status.Phase = corev1.PodRunning
	changed.Status.StartTime = &metav1.Time{Time: time.Unix(1700000000, 0)}
	running := &corev1.Pod{}
	must(core.Put().Namespace(namespace).Resource("pods").Name("p").SubResource("status").Body(changed).Do(ctx).Into(running), "update the status")
	check(running.Status.StartTime.Unix() == 1700000000, "a time comes back", running.Status)
	patched := &corev1.Pod{}
	patch := []byte(`{"metadata":{"annotations":{"a":"b"}}}`)
	must(core.Patch(types.StrategicMergePatchType).Namespace(namespace).Resource("pods").Name("p").Body(patch).Do(ctx).Into(patched), "patch")
	check(patched.Annotations["a"] == "b", "the patch is there", patched)
	alike(coreJSON, core, "pods", "p", func() runtime.Object { return &corev1.Pod{} })

	must(apps.Post().Namespace(namespace).Resource("deployments").Body(deployment("d")).Do(ctx).Error(), "create a Deployment")
	alike(appsJSON, apps, "deployments", "d", func() runtime.Object { return &appsv1.Deployment{} })

	for _, name := range []string{"a", "b", "c"} {
		data := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"of": "go"}},
			BinaryData: map[string][]byte{"x": {0, 255}},
		}
		must(core.Post().Namespace(namespace).Resource("configmaps").Body(data).Do(ctx).Error(), "create a ConfigMap")
	}
	alike(coreJSON, core, "configmaps", "a", func() runtime.Object { return &corev1.ConfigMap{} })
	seen, token := 0, ""
	for {
		page := &corev1.ConfigMapList{}
		options := &metav1.ListOptions{Limit: 2, Continue: token, LabelSelector: own}
		must(core.Get().Namespace(namespace).Resource("configmaps").VersionedParams(options, parameters).Do(ctx).Into(page), "a page")
		seen += len(page.Items)
		if token = page.Continue; token == "" {
			break
		}
	}
	check(seen == 3, "pages hold everything once", seen)

	uid := types.UID("another")
	refused := core.Delete().Namespace(namespace).Resource("configmaps").Name("a").Body(&metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid},
	}).Do(ctx).Error()
	check(errors.IsConflict(refused), "options of a delete are read", refused)
	must(core.Delete().Namespace(namespace).Resource("configmaps").Name("a").Body(&metav1.DeleteOptions{}).Do(ctx).Error(), "delete")
	gone := core.Get().Namespace(namespace).Resource("configmaps").Name("a").Do(ctx).Error()
	check(errors.IsNotFound(gone), "it is gone", gone)
}

// informer follows ConfigMaps through an addition, a change and a removal.
func informer(config *rest.Config) {
	core := client(config, corev1.SchemeGroupVersion, protobuf)
	events := make(chan string, 100)
	selected := func(options *metav1.ListOptions) { options.LabelSelector = own }
	lister := cache.NewFilteredListWatchFromClient(core, "configmaps", namespace, selected)
	store, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: lister,
		ObjectType:    &corev1.ConfigMap{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc: func(found any) { events <- "added " + found.(*corev1.ConfigMap).Name },
			UpdateFunc: func(_, found any) {
				events <- "changed " + found.(*corev1.ConfigMap).Name + " " + found.(*corev1.ConfigMap).Data["k"]
			},
			DeleteFunc: func(found any) {
				name, _ := cache.DeletionHandlingMetaNamespaceKeyFunc(found)
				events <- "deleted " + name
			},
		},
	})
	stop := make(chan struct{})
	defer close(stop)
	go controller.Run(stop)
	check(cache.WaitForCacheSync(stop, controller.HasSynced), "the informer has listed")
	check(len(store.List()) == 2, "what was there is in its store", store.List())
	wait := func(wanted string) {
		deadline := time.After(10 * time.Second)
		for {
			select {
			case got := <-events:
				if got == wanted {
					check(true, "the informer saw: "+wanted)
					return
				}
			case <-deadline:
				check(false, "the informer saw: "+wanted)
			}
		}
	}
	made := &corev1.ConfigMap{}
	data := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "seen", Labels: map[string]string{"of": "go"}}}
	must(core.Post().Namespace(namespace).Resource("configmaps").Body(data).Do(ctx).Into(made), "create one more")
	wait("added seen")
	made.Data = map[string]string{"k": "v"}
	must(core.Put().Namespace(namespace).Resource("configmaps").Name("seen").Body(made).Do(ctx).Error(), "change it")
	wait("changed seen v")
	must(core.Delete().Namespace(namespace).Resource("configmaps").Name("seen").Do(ctx).Error(), "delete it")
	wait("deleted " + namespace + "/seen")
}

// metadataOnly reads and watches metadata, as garbage collectors and quota controllers do.
func metadataOnly(config *rest.Config) {
	maps := metadata.NewForConfigOrDie(metadata.ConfigFor(config)).
		Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(namespace)
	list, err := maps.List(ctx, metav1.ListOptions{LabelSelector: own})
	must(err, "list metadata")
	check(len(list.Items) == 2 && reflect.DeepEqual(list.Items[0].Name, "b"), "of everything", list.Items)
	watch, err := maps.Watch(ctx, metav1.ListOptions{LabelSelector: own})
	must(err, "watch metadata")
	select {
	case event := <-watch.ResultChan():
		found, known := event.Object.(*metav1.PartialObjectMetadata)
		check(known && found.Name == "b", "an event holds metadata", event)
	case <-time.After(10 * time.Second):
		check(false, "an event came")
	}
	watch.Stop()
}

func main() {
	must(corev1.AddToScheme(scheme), "core")
	must(appsv1.AddToScheme(scheme), "apps")
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	must(err, "a kubeconfig")
	writes(config)
	informer(config)
	metadataOnly(config)
	fmt.Println("done")
}
