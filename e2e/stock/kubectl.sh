#!/usr/bin/env bash
# The API server and its controllers as stock kubectl sees them: one line a check, then "N passed, M failed".
#
# Uses the cluster of KUBECONFIG (of the local cloud, or any real one for comparison) as a user with cluster-admin, and a
# namespace of its own, kubectl-checks. On Fargate, local or real, a profile must select that namespace. The pods that it
# runs use POD_IMAGE (default `sluice`, which the local cloud maps to itself; on a real node any image with /bin/sh).
# Without running pods (a control plane alone) say PODS=no. Checks of what only EKS on Fargate has are skipped elsewhere.
set -uo pipefail

NAMESPACE=kubectl-checks
POD_IMAGE=${POD_IMAGE:-sluice}
PODS=${PODS:-yes}
DEADLINE=${DEADLINE:-60s}
passed=0
failed=0
scratch=$(mktemp -d)

k() { kubectl -n "$NAMESPACE" "$@"; }

clean() {
  kubectl delete namespace "$NAMESPACE" --ignore-not-found --wait=false
  kubectl delete crd gadgets.checks.example.com --ignore-not-found --wait=false
  kubectl delete apiservice v1.gone.example.com --ignore-not-found
  kubectl wait --for=delete "namespace/$NAMESPACE" --timeout="$DEADLINE"
} >/dev/null 2>&1

finish() { clean; rm -rf "$scratch"; }
trap finish EXIT

# check NAME EXPECTED COMMAND…: what the command says (both outputs) holds EXPECTED, a fixed text. Exit codes of kubectl
# follow from what it says; `shows` and `refuses` check them as well.
report() { # NAME OK EXPECTED FOUND
  if [ "$2" = yes ]; then
    passed=$((passed + 1)); printf 'ok    %s\n' "$1"
  else
    failed=$((failed + 1)); printf 'FAIL  %s\n      wanted: %s\n      got:    %s\n' "$1" "$3" "$(printf '%s' "$4" | head -c 600)"
  fi
}
run() { out=$("$@" 2>&1); code=$?; }
shows() { # NAME TEXT COMMAND…
  local name=$1 text=$2 ok=no; shift 2; run "$@"
  if [ $code -eq 0 ] && [[ $out == *"$text"* ]]; then ok=yes; fi
  report "$name" $ok "exit 0 with: $text" "exit $code: $out"
}
refuses() { # NAME TEXT COMMAND…
  local name=$1 text=$2 ok=no; shift 2; run "$@"
  if [ $code -ne 0 ] && [[ $out == *"$text"* ]]; then ok=yes; fi
  report "$name" $ok "a refusal with: $text" "exit $code: $out"
}
equals() { # NAME TEXT COMMAND…
  local name=$1 text=$2 ok=no; shift 2; run "$@"
  if [ "$out" = "$text" ]; then ok=yes; fi
  report "$name" $ok "$text" "$out"
}
until_equals() { # NAME TEXT COMMAND…: asks until the answer is right or the deadline has passed
  local name=$1 text=$2 ok=no end=$((SECONDS + ${DEADLINE%s})); shift 2
  while run "$@"; [ "$out" != "$text" ] && [ $SECONDS -lt $end ]; do sleep 0.2; done
  if [ "$out" = "$text" ]; then ok=yes; fi
  report "$name" $ok "$text" "$out"
}
create() { k create -f - <<<"$1"; }
config_map() { printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s"%s},"data":{"a":"%s"}}' "$1" "${3:-}" "$2"; }
gadget() { printf '{"apiVersion":"checks.example.com/v1","kind":"Gadget","metadata":{"name":"%s"},"spec":%s}' "$1" "$2"; }
claims() { cut -d. -f2 | tr '_-' '/+' | { base64 -d 2>/dev/null || true; }; }

section() { printf '# %s\n' "$1"; }

clean
section 'discovery'
shows   'version names the server'                 'Server Version: v1.' kubectl version
shows   'api-resources lists deployments'          'deployments' kubectl api-resources --api-group=apps
shows   'api-versions lists both HPA versions'     $'autoscaling/v1\nautoscaling/v2' kubectl api-versions
shows   'explain shows fields and texts'           'The deployment strategy to use to replace existing pods' kubectl explain deployment.spec.strategy
refuses 'explain of an unknown kind'               'the server doesn'"'"'t have a resource type "nothing"' kubectl explain nothing
refuses 'an unknown resource'                      'the server doesn'"'"'t have a resource type "nothing"' kubectl get nothing
refuses 'an unknown path'                          'the server could not find the requested resource' kubectl get --raw /nothing
equals  'readyz'                                   'ok' kubectl get --raw /readyz

section 'objects'
shows   'create namespace (protobuf)'              "namespace/$NAMESPACE created" kubectl create namespace "$NAMESPACE"
refuses 'create again: AlreadyExists'              "(AlreadyExists): namespaces \"$NAMESPACE\" already exists" kubectl create namespace "$NAMESPACE"
until_equals 'a namespace gets its ServiceAccount' 'serviceaccount/default' k get serviceaccount default -o name
until_equals 'and the CA bundle'                   'configmap/kube-root-ca.crt' k get configmap kube-root-ca.crt -o name
refuses 'get: NotFound'                            'Error from server (NotFound): configmaps "none" not found' k get configmap none
shows   'create configmap'                         'configmap/one created' k create configmap one --from-literal=a=1
equals  'jsonpath'                                 '1' k get configmap one -o 'jsonpath={.data.a}'
shows   'client-side apply creates'                'configmap/two created' k apply -f - <<<"$(config_map two 1)"
shows   'client-side apply changes'                'configmap/two configured' k apply -f - <<<"$(config_map two 2)"
shows   'client-side apply again'                  'configmap/two unchanged' k apply -f - <<<"$(config_map two 2)"
refuses 'diff shows a change'                      '+  a: "3"' k diff -f - <<<"$(config_map two 3)"
shows   'server-side apply'                        'configmap/three serverside-applied' k apply --server-side -f - <<<"$(config_map three 1)"
refuses 'apply conflict names manager and field'   'Apply failed with 1 conflict: conflict with "kubectl": .data.a' k apply --server-side --field-manager=other -f - <<<"$(config_map three 2)"
shows   'forced apply'                             'serverside-applied' k apply --server-side --field-manager=other --force-conflicts -f - <<<"$(config_map three 2)"
refuses 'replace with an old version: Conflict'    'the object has been modified; please apply your changes to the latest version and try again' k replace -f - <<<"$(config_map two 9 ',"resourceVersion":"1"')"
refuses 'unknown field is refused'                 'strict decoding error: unknown field "dta"' create '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"dta":{}}'
refuses 'wrong type is refused in Go words'        'json: cannot unmarshal number into Go struct field ConfigMap.data of type string' create '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":1}}'
refuses 'a bad label is refused'                   'metadata.labels: Invalid value: "a b": name part must consist of' create "$(config_map x 1 ',"labels":{"a b":"c"}')"
refuses 'a bad name is refused'                    'a lowercase RFC 1123 subdomain must consist of' create "$(config_map X_ 1)"
refuses 'a kind that is not served'                'no matches for kind "Nothing" in version "v1"' create '{"apiVersion":"v1","kind":"Nothing","metadata":{"name":"x"}}'
shows   'generateName'                             'configmap/made-' create '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"made-"}}'
shows   'dry run stores nothing'                   'created (server dry run)' k create configmap dry --dry-run=server
refuses 'dry run stored nothing'                   'NotFound' k get configmap dry
shows   'secret stringData'                        'secret/s created' create '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"a":"b"}}'
equals  'secret is stored as base64'               'Yg== Opaque' k get secret s -o 'jsonpath={.data.a} {.type}'
shows   'label'                                    'configmap/one labeled' k label configmap one app=a
equals  'label selector'                           'configmap/one' k get configmap -l 'app in (a,b),!other' -o name
equals  'field selector'                           'configmap/one' k get configmap --field-selector metadata.name=one -o name
refuses 'unknown field selector'                   'field label not supported: spec.nothing' k get pods --field-selector spec.nothing=1
refuses 'broken label selector'                    "unable to parse requirement: found '=', expected: identifier" k get pods -l 'a==='
equals  'chunked lists are whole'                  "$(k get configmap -o name)" k get configmap -o name --chunk-size=1
refuses 'another namespace in the object'          'the namespace from the provided object "other" does not match the namespace' create "$(config_map x 1 ',"namespace":"other"')"

section 'deployments'
shows   'create deployment'                        'deployment.apps/web created' k create deployment web --image="$POD_IMAGE" --replicas=0
until_equals 'the first revision'                  '1' k get deployment web -o 'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}'
equals  'defaults'                                 'RollingUpdate 25% 25% 10 600 Always' k get deployment web -o 'jsonpath={.spec.strategy.type} {.spec.strategy.rollingUpdate.maxSurge} {.spec.strategy.rollingUpdate.maxUnavailable} {.spec.revisionHistoryLimit} {.spec.progressDeadlineSeconds} {.spec.template.spec.containers[0].imagePullPolicy}'
refuses 'selector is required'                     'spec.selector: Required value' create '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x"},"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x"}]}}}}'
refuses 'selector is immutable'                    'field is immutable' k patch deployment web -p '{"spec":{"selector":{"matchLabels":{"x":"y"}}}}'
refuses 'negative replicas'                        'spec.replicas: Invalid value: -1: must be greater than or equal to 0' k patch deployment web --type=merge -p '{"spec":{"replicas":-1}}'
shows   'strategic patch merges by name'           'patched' k patch deployment web -p "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"$(k get deployment web -o 'jsonpath={.spec.template.spec.containers[0].name}')\",\"env\":[{\"name\":\"A\",\"value\":\"1\"}]}]}}}}"
equals  'and keeps the image'                      "$POD_IMAGE A" k get deployment web -o 'jsonpath={.spec.template.spec.containers[*].image} {.spec.template.spec.containers[*].env[*].name}'
shows   'json patch'                               'patched' k patch deployment web --type=json -p '[{"op":"add","path":"/metadata/labels/x","value":"y"}]'
refuses 'json patch that fails'                    'the server rejected our request due to an error in our request' k patch deployment web --type=json -p '[{"op":"test","path":"/spec/replicas","value":9}]'
until_equals 'the second revision'                 '2' k get deployment web -o 'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}'
shows   'rollout history'                          $'1         <none>\n2         <none>' k rollout history deployment web
shows   'rollout undo'                             'deployment.apps/web rolled back' k rollout undo deployment web
until_equals 'undo makes a third revision'         '3' k get deployment web -o 'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}'
refuses 'undo to nowhere'                          'unable to find specified revision 99 in history' k rollout undo deployment web --to-revision=99
shows   'rollout pause'                            'paused' k rollout pause deployment web
refuses 'pause again'                              'is already paused' k rollout pause deployment web
shows   'rollout resume'                           'resumed' k rollout resume deployment web
shows   'rollout restart'                          'restarted' k rollout restart deployment web
shows   'rollout status'                           'successfully rolled out' k rollout status deployment web --timeout="$DEADLINE"
refuses 'scale with a wrong precondition'          'Expected replicas to be 7, was 0' k scale deployment web --replicas=1 --current-replicas=7
equals  'scale subresource leaves a zero out'      'Scale app=web ' k get deployment web --subresource=scale -o 'jsonpath={.kind} {.status.selector} {.spec.replicas}'
shows   'columns of get'                           'NAME   READY   UP-TO-DATE   AVAILABLE   AGE' k get deployment web
shows   'columns of get -o wide'                   'CONTAINERS' k get deployment web -o wide
shows   'describe shows the conditions'            'MinimumReplicasAvailable' k describe deployment web

section 'autoscalers'
shows   'autoscale (autoscaling/v1)'               'autoscaled' k autoscale deployment web --min=1 --max=3 --cpu-percent=50
equals  'the same as v2'                           'cpu 50 1 3' k get hpa web -o 'jsonpath={.spec.metrics[0].resource.name} {.spec.metrics[0].resource.target.averageUtilization} {.spec.minReplicas} {.spec.maxReplicas}'
equals  'the same as v1'                           '50' bash -c "kubectl get --raw /apis/autoscaling/v1/namespaces/$NAMESPACE/horizontalpodautoscalers/web | jq .spec.targetCPUUtilizationPercentage"
until_equals 'at 0 replicas scaling is disabled'   'ScalingDisabled scaling is disabled since the replica count of the target is zero' k get hpa web -o 'jsonpath={.status.conditions[?(@.type=="ScalingActive")].reason} {.status.conditions[?(@.type=="ScalingActive")].message}'
refuses 'min above max'                            'must be greater than or equal to `minReplicas`' create '{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"x"},"spec":{"minReplicas":5,"maxReplicas":3,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"x"}}}'
create '{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"lost"},"spec":{"maxReplicas":3,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"lost"},"metrics":[{"type":"External","external":{"metric":{"name":"m"},"target":{"type":"AverageValue","averageValue":"3"}}}]}}' >/dev/null
until_equals 'a target that is not there'          'False FailedGetScale the HPA controller was unable to get the target'"'"'s current scale: deployments.apps "lost" not found' k get hpa lost -o 'jsonpath={.status.conditions[0].status} {.status.conditions[0].reason} {.status.conditions[0].message}'
k create deployment asker --image="$POD_IMAGE" >/dev/null
create '{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"asker"},"spec":{"maxReplicas":3,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"asker"},"metrics":[{"type":"External","external":{"metric":{"name":"no-such","selector":{"matchLabels":{"a":"b"}}},"target":{"type":"AverageValue","averageValue":"3"}}}]}}' >/dev/null
until_equals 'a metric that nobody serves'         'False FailedGetExternalMetric' k get hpa asker -o 'jsonpath={.status.conditions[?(@.type=="ScalingActive")].status} {.status.conditions[?(@.type=="ScalingActive")].reason}'
shows   'and why, with the selector'               'the HPA was unable to compute the replica count: unable to get external metric '"$NAMESPACE"'/no-such/&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}: unable to fetch metrics from external metrics API: ' k get hpa asker -o 'jsonpath={.status.conditions[?(@.type=="ScalingActive")].message}'
shows   'the summary as an event'                  'invalid metrics (1 invalid out of 1), first error is: failed to get no-such external metric value: failed to get no-such external metric: unable to get external metric' k get events --field-selector involvedObject.kind=HorizontalPodAutoscaler,involvedObject.name=asker
equals  'a missing metric changes nothing'         '1' k get deployment asker -o 'jsonpath={.spec.replicas}'
shows   'columns of get hpa'                       '<unknown>/3 (avg)' k get hpa lost

section 'access'
k create serviceaccount app >/dev/null
k create role reader --verb=get,list --resource=configmaps >/dev/null
k create rolebinding reader --role=reader --serviceaccount="$NAMESPACE:app" >/dev/null
user=system:serviceaccount:$NAMESPACE:app
equals  'can-i: what the role allows'              'yes' k auth can-i get configmaps --as="$user"
refuses 'can-i: what it does not'                  'no' k auth can-i delete configmaps --as="$user"
shows   'can-i --list'                             'configmaps' k auth can-i --list --as="$user"
shows   'whoami'                                   "$user" kubectl auth whoami --as="$user"
shows   'an allowed read'                          'configmap/one' k get configmap one -o name --as="$user"
refuses 'Forbidden in a namespace'                 "secrets is forbidden: User \"$user\" cannot list resource \"secrets\" in API group \"\" in the namespace \"$NAMESPACE\"" k get secrets --as="$user"
refuses 'Forbidden with a name'                    "configmaps \"one\" is forbidden: User \"$user\" cannot delete resource \"configmaps\"" k delete configmap one --as="$user"
refuses 'Forbidden at the cluster scope'           'cannot list resource "nodes" in API group "" at the cluster scope' kubectl get nodes --as="$user"
refuses 'Forbidden for a subresource'              'cannot get resource "deployments/scale" in API group "apps"' k get deployment web --subresource=scale --as="$user"
refuses 'Forbidden path'                           'User "nobody" cannot get path "/metrics"' kubectl get --raw /metrics --as=nobody
refuses 'a role that does not exist'               '"Odd"' create '{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"x"},"roleRef":{"kind":"Odd","name":"x"}}'
token=$(k create token app --audience=sts.amazonaws.com --duration=1h)
equals  'token: subject and audience'              "$user sts.amazonaws.com" jq -r '"\(.sub) \(.aud[0])"' <<<"$(claims <<<"$token")"
equals  'token: private claims'                    "$NAMESPACE app $(k get serviceaccount app -o 'jsonpath={.metadata.uid}')" jq -r '."kubernetes.io" | "\(.namespace) \(.serviceaccount.name) \(.serviceaccount.uid)"' <<<"$(claims <<<"$token")"
equals  'token: lifetime'                          '3600' jq -r '.exp - .iat' <<<"$(claims <<<"$token")"
refuses 'token: at least ten minutes'              'may not specify a duration less than 10 minutes' k create token app --duration=1m
refuses 'token: unknown account'                   'serviceaccounts "none" not found' k create token none
# Flags of the command line win over the kubeconfig's own credentials.
refuses 'a token for somebody else opens nothing'  'Unauthorized' kubectl get --raw /api --kubeconfig /dev/null --server "$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')" --insecure-skip-tls-verify --token "$token"

section 'custom resources'
kubectl apply -f - >/dev/null <<'CRD'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.checks.example.com}
spec:
  group: checks.example.com
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, shortNames: [gd], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    - {name: Mode, type: string, jsonPath: .spec.mode, priority: 1}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1, maximum: 10}
              mode: {type: string, enum: [fast, slow], default: fast, description: How the gadget works.}
              replicas: {type: integer, default: 1}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
CRD
shows   'a definition is established'              'condition met' kubectl wait --for=condition=Established crd/gadgets.checks.example.com --timeout="$DEADLINE"
until_equals 'and served under its short name'     '' k get gd -o name
refuses 'required'                                 'spec.size: Required value' create "$(gadget g '{}')"
refuses 'maximum'                                  'spec.size: Invalid value: 99: spec.size in body should be less than or equal to 10' create "$(gadget g '{"size":99}')"
refuses 'enum'                                     'spec.mode: Unsupported value: "x": supported values: "fast", "slow"' create "$(gadget g '{"size":1,"mode":"x"}')"
refuses 'type'                                     'spec.size in body must be of type integer: "string"' create "$(gadget g '{"size":"1"}')"
refuses 'unknown field'                            'unknown field "spec.odd"' create "$(gadget g '{"size":1,"odd":1}')"
shows   'pruned with a warning'                    'Warning: unknown field "spec.odd"' k create --validate=warn -f - <<<"$(gadget g '{"size":1,"odd":1,"free":{"any":1}}')"
equals  'defaults, pruning, unknown fields kept'   '{"free":{"any":1},"mode":"fast","replicas":1,"size":1}' k get gd g -o 'jsonpath={.spec}'
shows   'printer columns'                          'NAME   SIZE   READY' k get gd
shows   'wide printer columns'                     'NAME   SIZE   MODE   READY' k get gd -o wide
shows   'in the category all'                      'gadget.checks.example.com/g' k get all
shows   'status subresource'                       'patched' k patch gd g --subresource=status --type=merge -p '{"spec":{"size":9},"status":{"replicas":1,"conditions":[{"type":"Ready","status":"True"}]}}'
equals  'changes nothing but status'               '1 1 1' k get gd g -o 'jsonpath={.spec.size} {.status.replicas} {.metadata.generation}'
shows   'scale subresource'                        'scaled' k scale gd g --replicas=3
equals  'which counts as a new generation'         '3 2' k get gd g -o 'jsonpath={.spec.replicas} {.metadata.generation}'
shows   'wait for a condition'                     'condition met' k wait --for=condition=Ready gd/g --timeout="$DEADLINE"
shows   'explain shows its texts'                  'How the gadget works.' kubectl explain gadget.spec.mode
refuses 'strategic patches are for built-in kinds'  'application/strategic-merge-patch+json' k patch gd g -p '{"spec":{"size":2}}'

section 'deletion'
dependent() { # NAME OWNER
  create "$(config_map "$1" 1 ",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"$2\",\"uid\":\"$(k get configmap "$2" -o 'jsonpath={.metadata.uid}')\",\"blockOwnerDeletion\":true}]")" >/dev/null
}
for owner in back fore keep; do k create configmap $owner >/dev/null; dependent $owner-dependent $owner; done
shows   'background: the owner goes at once'       'deleted' k delete configmap back
shows   'and its dependent follows'                '' k wait --for=delete configmap/back-dependent --timeout="$DEADLINE"
shows   'foreground: owner and dependent go'       'deleted' k delete configmap fore --cascade=foreground
refuses 'the dependent went first'                 'NotFound' k get configmap fore-dependent
shows   'orphan'                                   'deleted' k delete configmap keep --cascade=orphan
until_equals 'the orphan stays without its owner'  'keep-dependent ' k get configmap keep-dependent -o 'jsonpath={.metadata.name} {.metadata.ownerReferences}'
create "$(config_map held 1 ',"finalizers":["example.com/hold"]')" >/dev/null
shows   'a finalizer holds'                        'deleted' k delete configmap held --wait=false
equals  'the object waits'                         '0 ["example.com/hold"]' k get configmap held -o 'jsonpath={.metadata.deletionGracePeriodSeconds} {.metadata.finalizers}'
refuses 'no new finalizers now'                    'no new finalizers can be added if the object is being deleted' k patch configmap held --type=json -p '[{"op":"add","path":"/metadata/finalizers/-","value":"example.com/more"}]'
shows   'without its finalizer it goes'            'patched' k patch configmap held --type=merge -p '{"metadata":{"finalizers":null}}'
refuses 'it is gone'                               'NotFound' k get configmap held
refuses 'default may not be deleted'               'namespaces "default" is forbidden: this namespace may not be deleted' kubectl delete namespace default

section 'watches'
raw=/api/v1/namespaces/$NAMESPACE/configmaps
version=$(kubectl get --raw "$raw?limit=1" | jq -r .metadata.resourceVersion)
k create configmap seen --from-literal=a=1 >/dev/null
k patch configmap seen --type=merge -p '{"data":{"a":"2"}}' >/dev/null
k delete configmap seen >/dev/null
equals  'a watch reports what happened, in order'    $'ADDED 1\nMODIFIED 2\nDELETED 2' bash -c "kubectl get --raw '$raw?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dseen&resourceVersion=$version' | jq -r '\"\(.type) \(.object.data.a)\"'"
equals  'initial events end with a bookmark'       'BOOKMARK true' bash -c "kubectl get --raw '$raw?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true' | jq -r 'select(.type == \"BOOKMARK\") | \"\(.type) \(.object.metadata.annotations.\"k8s.io/initial-events-end\")\"' | head -1"
refuses 'no resource version'                      'invalid resource version: resourceVersion: Invalid value: "abc"' kubectl get --raw "$raw?resourceVersion=abc"

section 'aggregated APIs'
kubectl apply -f - >/dev/null <<<'{"apiVersion":"apiregistration.k8s.io/v1","kind":"APIService","metadata":{"name":"v1.gone.example.com"},"spec":{"group":"gone.example.com","version":"v1","groupPriorityMinimum":100,"versionPriority":10,"insecureSkipTLSVerify":true,"service":{"namespace":"'$NAMESPACE'","name":"gone"}}}'
shows   'a missing server is not available'        'condition met' kubectl wait --for=condition=Available=false apiservice/v1.gone.example.com --timeout="$DEADLINE"
shows   'and the column says why'                  'False (ServiceNotFound)' kubectl get apiservice v1.gone.example.com
refuses 'its requests are 503'                     '(ServiceUnavailable): the server is currently unable to handle the request' kubectl get --raw /apis/gone.example.com/v1/things
shows   'the others are served'                    'True' kubectl get apiservice v1.apps
kubectl delete apiservice v1.gone.example.com >/dev/null

if [ "$PODS" = yes ]; then
  section 'pods'
  pod() { # NAME SCRIPT [FIELDS OF THE SPEC] [FIELDS OF THE CONTAINER]
    create "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"$1\"},\"spec\":{${3:-}\"containers\":[{${4:-}\"name\":\"main\",\"image\":\"$POD_IMAGE\",\"command\":[\"/bin/sh\",\"-c\",$(jq -Rs . <<<"$2")]}]}}" >/dev/null
  }
  pod talker 'echo one; echo two; echo three; exec sleep 600' '"terminationGracePeriodSeconds":1,'
  shows 'a pod becomes ready'                      'condition met' k wait --for=condition=Ready pod/talker --timeout="$DEADLINE"
  until_equals 'logs'                              $'one\ntwo\nthree' k logs talker
  equals  'logs --tail'                            'three' k logs talker --tail=1
  equals  'logs -f ends with the deadline'         $'one\ntwo\nthree' timeout 2 kubectl -n "$NAMESPACE" logs -f talker
  shows   'columns of get'                         'talker   1/1     Running   0' k get pod talker
  shows   'describe shows its events'              'Created' k describe pod talker
  refuses 'a pod may not be changed'               'pod updates may not change fields other than' k patch pod talker -p '{"spec":{"terminationGracePeriodSeconds":5}}'
  pod failing 'echo first; exit 3' '"restartPolicy":"Always",'
  until_equals 'a failing container is restarted'  'true' k get pod failing -o 'go-template={{with .status.containerStatuses}}{{gt (index . 0).restartCount 0}}{{end}}'
  shows   'logs --previous'                        'first' k logs failing --previous
  until_equals 'and backs off'                     'CrashLoopBackOff' k get pod failing -o 'jsonpath={.status.containerStatuses[0].state.waiting.reason}'
  equals  'its last end is reported'                   '3 Error' k get pod failing -o 'jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode} {.status.containerStatuses[0].lastState.terminated.reason}'
  pod graceful 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.1; done' '"terminationGracePeriodSeconds":20,'
  until_equals 'a pod runs'                        'up' k logs graceful
  k delete pod graceful --wait=false >/dev/null
  shows   'SIGTERM ends it within its grace'       '' k wait --for=delete pod/graceful --timeout=15s
  pod stubborn 'trap "" TERM; echo up; while :; do sleep 0.1; done' '"terminationGracePeriodSeconds":1,'
  until_equals 'a pod that ignores SIGTERM'        'up' k logs stubborn
  shows   'is killed after its grace'              'deleted' k delete pod stubborn --timeout="$DEADLINE"
  pod unready 'exec sleep 600' '"terminationGracePeriodSeconds":1,' '"readinessProbe":{"exec":{"command":["/bin/false"]},"periodSeconds":1},'
  until_equals 'a readiness probe that fails'      'ContainersNotReady containers with unready status: [main]' k get pod unready -o 'jsonpath={.status.conditions[?(@.type=="Ready")].reason} {.status.conditions[?(@.type=="Ready")].message}'
  pod sick 'exec sleep 600' '"terminationGracePeriodSeconds":1,' '"livenessProbe":{"exec":{"command":["/bin/false"]},"periodSeconds":1,"failureThreshold":1},'
  until_equals 'a liveness probe restarts'         'true' k get pod sick -o 'go-template={{with .status.containerStatuses}}{{gt (index . 0).restartCount 0}}{{end}}'
  shows   'and says so in an event'                'Liveness probe failed' k get events --field-selector involvedObject.name=sick
  create "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"nowhere\"},\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"no.invalid/nothing:1\"}]}}" >/dev/null
  until_equals 'an image that cannot be had'       'ImagePullBackOff' k get pod nowhere -o 'jsonpath={.status.containerStatuses[0].state.waiting.reason}'
  k create job done --image="$POD_IMAGE" -- /bin/sh -c 'exit 0' >/dev/null
  shows   'a job completes'                        'condition met' k wait --for=condition=Complete job/done --timeout="$DEADLINE"
  equals  'its conditions'                         'SuccessCriteriaMet Complete' k get job done -o 'jsonpath={.status.conditions[*].type}'
  create "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"lost\"},\"spec\":{\"backoffLimit\":0,\"template\":{\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"main\",\"image\":\"$POD_IMAGE\",\"command\":[\"/bin/sh\",\"-c\",\"exit 1\"]}]}}}}" >/dev/null
  until_equals 'a job fails'                       'BackoffLimitExceeded Job has reached the specified backoff limit' k get job lost -o 'jsonpath={.status.conditions[?(@.type=="Failed")].reason} {.status.conditions[?(@.type=="Failed")].message}'
  k create deployment sleeper --image="$POD_IMAGE" --replicas=2 -- /bin/sh -c 'exec sleep 600' >/dev/null
  shows   'a deployment rolls out'                 'successfully rolled out' k rollout status deployment sleeper --timeout="$DEADLINE"
  shows   'autoscale on a metric that is not there' 'autoscaled' k autoscale deployment sleeper --min=1 --max=3 --cpu-percent=50
  until_equals 'a missing metric is reported'          'FailedGetResourceMetric' k get hpa sleeper -o 'jsonpath={.status.conditions[?(@.type=="ScalingActive")].reason}'
  equals  'and changes nothing'                    '2' k get deployment sleeper -o 'jsonpath={.spec.replicas}'
fi

if [ "$PODS" = yes ] && [ -n "$(kubectl get nodes -l eks.amazonaws.com/compute-type=fargate -o name)" ]; then
  section 'Fargate and IRSA'
  equals  'one node a pod'                         'talker' bash -c "kubectl -n $NAMESPACE get pods --field-selector spec.nodeName=\$(kubectl -n $NAMESPACE get pod talker -o 'jsonpath={.spec.nodeName}') -o 'jsonpath={.items[*].metadata.name}'"
  equals  'the size is noted'                      '0.25vCPU 0.5GB' k get pod talker -o 'jsonpath={.metadata.annotations.CapacityProvisioned}'
  k create serviceaccount irsa >/dev/null
  k annotate serviceaccount irsa eks.amazonaws.com/role-arn=arn:aws:iam::111122223333:role/none >/dev/null
  pod plain 'exec sleep 600' '"terminationGracePeriodSeconds":1,'
  # shellcheck disable=SC2016 # the pod's shell expands it
  pod irsa 'echo "$AWS_ROLE_ARN"; cut -d. -f2 "$AWS_WEB_IDENTITY_TOKEN_FILE"; exec sleep 600' '"serviceAccountName":"irsa","terminationGracePeriodSeconds":1,'
  equals  'no role, no variables'                  '' k get pod plain -o 'jsonpath={.spec.containers[0].env[*].name}'
  equals  'a role brings them'                     'AWS_STS_REGIONAL_ENDPOINTS AWS_DEFAULT_REGION AWS_REGION AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE AWS_ENDPOINT_URL' k get pod irsa -o 'jsonpath={.spec.containers[0].env[*].name}'
  until_equals 'inside: the role'                  'arn:aws:iam::111122223333:role/none' bash -c "kubectl -n $NAMESPACE logs irsa | head -1"
  equals  'inside: the token'                      "system:serviceaccount:$NAMESPACE:irsa sts.amazonaws.com irsa" bash -c "kubectl -n $NAMESPACE logs irsa | sed -n 2p | tr '_-' '/+' | { base64 -d 2>/dev/null || true; } | jq -r '\"\(.sub) \(.aud[0]) \(.\"kubernetes.io\".pod.name)\"'"
  elsewhere=kube-public
  kubectl -n $elsewhere run kubectl-checks --image="$POD_IMAGE" >/dev/null
  until_equals 'a pod that no profile takes waits' 'Pending Unschedulable' kubectl -n $elsewhere get pod kubectl-checks -o 'jsonpath={.status.phase} {.status.conditions[0].reason}'
  kubectl -n $elsewhere delete pod kubectl-checks >/dev/null
fi

section 'the end of a namespace'
create "$(config_map last 1 ',"finalizers":["example.com/hold"]')" >/dev/null
kubectl delete namespace "$NAMESPACE" --wait=false >/dev/null
refuses 'nothing new in a namespace that ends'     'is forbidden: unable to create new content in namespace '"$NAMESPACE"' because it is being terminated' k create configmap late
until_equals 'its conditions name what holds it'   'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances' kubectl get namespace "$NAMESPACE" -o 'jsonpath={.status.conditions[?(@.type=="NamespaceFinalizersRemaining")].message}'
k patch configmap last --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
shows   'then it goes'                             '' kubectl wait --for=delete "namespace/$NAMESPACE" --timeout="$DEADLINE"

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
