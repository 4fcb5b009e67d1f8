//! What a person sees: messages, defaults, rendered documents.

use jiff::civil::{Date, date};
use serde_json::{Value, json};

use crate::manifests::{self, Manifest, Site};
use crate::policies::Policies;
use crate::{File, Loaded, Origin, Override, Problems, Stack, load, render};

const TODAY: Date = date(2026, 11, 24);

fn read(text: &str) -> Result<Loaded, Problems> {
    load(Some(File { name: "stack.yaml", text }), &[], TODAY)
}

pub(crate) fn stack(text: &str) -> Stack {
    read(text).unwrap().stack
}

pub(crate) fn problems(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

fn flag(key: &str, value: &str) -> Override {
    Override { key: key.into(), value: value.into(), origin: Origin::Flag { name: "--x".into() } }
}

pub(crate) fn site() -> Site {
    Site {
        account_id: "111122223333".into(),
        queue_urls: [("myapp".to_owned(), "${aws_sqs_queue.myapp.url}".to_owned())].into(),
        endpoint_for_pods: None,
    }
}

pub(crate) fn find<'a>(manifests: &'a [Manifest], address: &str) -> &'a Manifest {
    manifests.iter().find(|manifest| manifest.address == address).unwrap_or_else(|| panic!("no {address}"))
}

pub(crate) fn everything(stack: &Stack, site: &Site) -> Vec<Manifest> {
    manifests::all(stack, site, include_str!("../../templates/kubernetes/crds.yaml")).unwrap()
}

#[test]
fn an_empty_file_is_the_tutorial() {
    for text in ["", "# nothing\n", "workloads:\n"] {
        let stack = stack(text);
        let scaling = &stack.workloads[0].scaling;
        assert_eq!((stack.cluster.name.as_str(), stack.region.as_str()), ("sluice-demo", "ap-northeast-1"));
        assert_eq!((scaling.min_replicas, scaling.max_replicas, scaling.queue_length), (0, 3, 3));
        assert_eq!((scaling.polling_interval_seconds, scaling.cooldown_period_seconds), (30, 300));
        let queue = stack.workloads[0].queue.as_ref().unwrap();
        assert_eq!((queue.name.as_str(), queue.visibility_timeout_seconds), ("sluice-demo-myapp", 120));
        let namespaces: Vec<_> = stack.cluster.selectors.iter().map(|selector| selector.namespace.as_str()).collect();
        assert_eq!(namespaces, ["default", "kube-system", "keda", "myproject"]);
    }
}

#[test]
fn all_problems_are_reported_at_once_with_place_and_next_step() {
    let text = "regoin: eu-west-1\ncluster:\n  name: -bad\n  version: 1.30\n  fargate:\n    selectors: [a, b, c, d, e, f]\n\
                workloads:\n- scaling: {minReplicaCount: 5, maxReplicaCount: lots, pollingInterval: 0}\n  queue: {name: a b}\n";
    insta::assert_snapshot!(problems(text), @r#"
    stack.yaml:1:1: regoin: unknown key; did you mean "region"?
    stack.yaml:3:9: cluster.name: "-bad" is no valid cluster name; EKS takes up to 100 letters, digits, hyphens and underscores, beginning with a letter or digit
    stack.yaml:4:12: cluster.version: expected text (in quotes), found a number with a fraction; write text (in quotes)
    stack.yaml:6:17: cluster.fargate.selectors: 6 selectors (a, b, c, d, e, f), but a Fargate profile takes five; join namespaces with a wildcard such as "team-*", or put workloads together
    stack.yaml:6:17: cluster.fargate.selectors: no selector covers the namespaces "kube-system", "keda", "myproject", so pods there would wait for ever; add them to the selectors
    stack.yaml:8:30: workloads[0].scaling.minReplicaCount: 5 is more than maxReplicaCount 3; lower it, or raise maxReplicaCount
    stack.yaml:8:50: workloads[0].scaling.maxReplicaCount: expected a whole number, found text; write a whole number
    stack.yaml:8:73: workloads[0].scaling.pollingInterval: 0 is out of range; use 1 to 86400
    stack.yaml:9:17: workloads[0].queue.name: "a b" is no valid queue name; use up to 80 letters, digits, hyphens and underscores
    "#);
}

#[test]
fn unreadable_yaml_is_reported_with_its_place() {
    let message = problems("cluster:\n  name: [a\n");
    assert!(message.starts_with("stack.yaml:"), "{message}");
    assert!(message.contains("not readable YAML"), "{message}");
}

#[test]
fn versions_are_evaluated_by_the_day() {
    assert!(problems("cluster: {version: '1.29'}").contains("extended support ended on 2026-03-23"));
    assert!(problems("cluster: {version: '1.99'}").contains("no Kubernetes version that this program knows"));
    assert!(read("cluster: {version: '1.33'}").unwrap().warnings[0].cause.contains("left standard support"));
    assert!(read("cluster: {version: '1.35'}").unwrap().warnings.is_empty());
}

#[test]
fn a_cluster_name_too_long_for_its_roles_says_by_how_much() {
    let message = problems(&format!("cluster: {{name: {}}}", "a".repeat(53)));
    assert!(message.contains("shorten it by 3"), "{message}");
}

#[test]
fn the_strongest_origin_wins_and_is_remembered() {
    let file = File { name: "stack.yaml", text: "region: eu-west-1\nname: one\n" };
    let image = flag("workloads[0].image", "registry.example/app:1");
    let loaded = load(Some(file), &[flag("region", "us-east-1"), image], TODAY).unwrap();
    let origin = |key: &str| loaded.settings.iter().find(|setting| setting.key == key).unwrap().origin.clone();
    assert_eq!(loaded.stack.region, "us-east-1");
    assert_eq!(loaded.stack.workloads[0].image, "registry.example/app:1");
    assert_eq!(loaded.stack.workloads[0].name, "myapp");
    assert_eq!(origin("region"), Origin::Flag { name: "--x".into() });
    assert_eq!(origin("name"), Origin::File { line: 2, column: 7 });
    assert_eq!(origin("cluster.version"), Origin::Default);
}

#[test]
fn a_namespace_outside_the_selectors_is_refused() {
    let message = problems("cluster: {fargate: {selectors: [kube-system, 'ked?']}}");
    assert!(message.contains("no selector covers the namespaces \"myproject\""), "{message}");
    assert!(!message.contains("\"keda\""), "{message}");
}

#[test]
fn trust_names_issuer_audience_and_subject() {
    let stack = stack("");
    let policies = Policies { stack: &stack, account_id: "111122223333", issuer: "https://oidc.example/id/A" };
    let trust = policies.workload_trust(&stack.workloads[0]).unwrap();
    assert_eq!(
        trust["Statement"][0]["Condition"]["StringEquals"],
        json!({"oidc.example/id/A:aud": "sts.amazonaws.com",
               "oidc.example/id/A:sub": "system:serviceaccount:myproject:myapp"})
    );
    assert_eq!(trust["Statement"][1]["Principal"]["AWS"], "arn:aws:iam::111122223333:role/sluice-demo-keda-operator");
    assert_eq!(policies.operator_trust().unwrap()["Statement"].as_array().unwrap().len(), 1);
    let arn = &policies.fargate_trust().unwrap()["Statement"][0]["Condition"]["ArnLike"]["aws:SourceArn"];
    assert_eq!(arn, "arn:aws:eks:ap-northeast-1:111122223333:fargateprofile/sluice-demo/*");
    for policy in
        [policies.cluster_trust(), policies.scaler_trust(), policies.operator_policy(), policies.scaler_policy()]
    {
        assert_eq!(policy.unwrap()["Version"], "2012-10-17");
    }
}

#[test]
fn the_consumer_hides_a_message_for_as_long_as_the_queue_says() {
    for (seconds, shown) in [(45, 45), (0, 2)] {
        let stack = stack(&format!("workloads: [{{ queue: {{ visibilityTimeout: {seconds} }} }}]"));
        let manifests = everything(&stack, &site());
        let deployment = &find(&manifests, "kubernetes_deployment.myproject/myapp").object;
        let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
        assert!(args.contains(&json!(format!("--visibility-seconds={shown}"))), "{args:?}");
    }
}

#[test]
fn the_scaled_object_is_the_tutorials() {
    let stack = stack("");
    let manifests = everything(&stack, &site());
    let object = &find(&manifests, "kubernetes_scaled_object.myproject/myapp").object;
    let wanted = json!({
        "scaleTargetRef": { "name": "myapp" },
        "pollingInterval": 30,
        "cooldownPeriod": 300,
        "minReplicaCount": 0,
        "maxReplicaCount": 3,
        "advanced": { "horizontalPodAutoscalerConfig": { "behavior": {
            "scaleDown": { "stabilizationWindowSeconds": 300 },
        } } },
        "triggers": [{
            "type": "aws-sqs-queue",
            "authenticationRef": { "name": "myapp" },
            "metadata": { "queueURL": object["spec"]["triggers"][0]["metadata"]["queueURL"], "queueLength": "3", "awsRegion": "ap-northeast-1" },
        }],
    });
    assert_eq!(object["spec"], wanted);
}

#[test]
fn identity_modes_differ_only_in_the_trigger_authentication() {
    let spec = |identity: &str| {
        let stack = stack(&format!("workloads: [{{identity: {identity}}}]"));
        find(&everything(&stack, &site()), "kubernetes_trigger_authentication.myproject/myapp").object["spec"].clone()
    };
    let identity = |fields: Value| json!({"podIdentity": fields});
    assert_eq!(spec("operator"), identity(json!({"provider": "aws", "identityOwner": "keda"})));
    assert_eq!(spec("workload"), identity(json!({"provider": "aws", "identityOwner": "workload"})));
    let role = "arn:aws:iam::111122223333:role/sluice-demo-sqs-scaler";
    assert_eq!(spec("role"), identity(json!({"provider": "aws", "roleArn": role})));
}

#[test]
fn pods_declare_their_token_where_the_account_is_known_and_the_endpoint_where_there_is_one() {
    let stack = stack("");
    let text =
        |site: &Site| find(&everything(&stack, site), "kubernetes_deployment.myproject/myapp").object.to_string();
    let plain = text(&Site { account_id: String::new(), ..site() });
    assert!(!plain.contains("AWS_ENDPOINT_URL") && !plain.contains("AWS_ROLE_ARN"), "{plain}");
    let shown = text(&Site { endpoint_for_pods: Some("http://10.0.0.1:4566".into()), ..site() });
    for part in ["http://10.0.0.1:4566", "AWS_WEB_IDENTITY_TOKEN_FILE", "\"audience\":\"sts.amazonaws.com\""] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn a_new_deployment_begins_at_its_minimum_and_leaves_replicas_to_the_autoscaler() {
    let manifests = everything(&stack("workloads: [{scaling: {minReplicaCount: 1}}]"), &site());
    let deployment = find(&manifests, "kubernetes_deployment.myproject/myapp");
    assert_eq!(deployment.initial, Some(json!({"spec": {"replicas": 1}})));
    assert!(deployment.object["spec"].get("replicas").is_none());
}

#[test]
fn scaled_objects_go_before_the_operator_and_everything_is_ours() {
    let stack = stack("");
    let manifests = everything(&stack, &site());
    let needs = &find(&manifests, "kubernetes_scaled_object.myproject/myapp").depends_on;
    for address in [
        "kubernetes_deployment.keda/keda-operator",
        "kubernetes_deployment.myproject/myapp",
        "kubernetes_trigger_authentication.myproject/myapp",
        "kubernetes_custom_resource_definition.scaledobjects.keda.sh",
        "kubernetes_namespace.myproject",
    ] {
        assert!(needs.iter().any(|need| need == address), "{address} is missing in {needs:?}");
    }
    for manifest in &manifests {
        assert_eq!(manifest.object["metadata"]["labels"]["sluice.dev/stack"], "sluice-demo", "{}", manifest.address);
        assert!(manifest.depends_on.iter().all(|need| manifests.iter().any(|other| other.address == *need)));
    }
}

#[test]
fn the_operator_alone_needs_no_workload_and_names_no_role_without_an_account() {
    let stack = stack("");
    let crds = include_str!("../../templates/kubernetes/crds.yaml");
    let manifests = manifests::operator(&stack, &Site::default(), crds).unwrap();
    let kinds: Vec<_> = manifests.iter().map(|manifest| manifest.object["kind"].as_str().unwrap()).collect();
    for kind in
        ["Namespace", "CustomResourceDefinition", "ClusterRole", "Deployment", "PodDisruptionBudget", "APIService"]
    {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    assert_eq!(kinds.iter().filter(|kind| **kind == "Namespace").count(), 1);
    assert!(manifests.iter().all(|manifest| !manifest.address.contains("myproject")));
    let account = find(&manifests, "kubernetes_service_account.keda/keda-operator");
    assert!(account.object["metadata"].get("annotations").is_none());
}

#[test]
fn the_sample_is_known_by_its_image_and_what_it_is_to_run() {
    use crate::Consumer::{Own, Sample};
    for (text, consumer) in [
        ("", Sample),
        ("workloads: [{image: 'registry.example/team/sluice:2'}]", Sample),
        ("image: registry.example/ours:1", Sample),
        ("workloads: [{args: [worker, --work-seconds=1]}]", Sample),
        ("workloads: [{args: [operator]}]", Own),
        ("workloads: [{command: [/bin/sh]}]", Own),
        ("workloads: [{image: mycorp/consumer}]", Own),
        ("workloads: [{image: mycorp/consumer, args: [worker]}]", Own),
    ] {
        assert_eq!(stack(text).workloads[0].consumer, consumer, "{text}");
    }
}

#[test]
fn a_service_of_the_users_runs_what_its_image_says_unless_the_stack_says_otherwise() {
    let container = |text: &str| {
        let manifests = everything(&stack(text), &site());
        find(&manifests, "kubernetes_deployment.myproject/myapp").object["spec"]["template"]["spec"]["containers"][0]
            .clone()
    };
    let plain = container("workloads: [{image: mycorp/consumer}]");
    assert!(plain.get("args").is_none() && plain.get("command").is_none(), "{plain}");
    let shown = container("workloads: [{image: mycorp/consumer, command: [/bin/sh, -c], args: ['echo ${A}']}]");
    assert_eq!((&shown["command"], &shown["args"]), (&json!(["/bin/sh", "-c"]), &json!(["echo $${A}"])));
    assert_eq!(container("")["args"][0], "worker");
}

#[test]
fn what_a_workload_says_of_its_environment_goes_before_what_it_is_given() {
    let text = "workloads: [{env: {QUEUE_URL: mine, AWS_ENDPOINT_URL: 'http://own', A: b}}]";
    let site = Site { endpoint_for_pods: Some("http://10.0.0.1:4566".into()), ..site() };
    let manifests = everything(&stack(text), &site);
    let deployment = &find(&manifests, "kubernetes_deployment.myproject/myapp").object;
    let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    let values =
        |name: &str| -> Vec<_> { env.iter().filter(|one| one["name"] == name).map(|one| &one["value"]).collect() };
    assert_eq!((values("QUEUE_URL"), values("AWS_ENDPOINT_URL")), (vec![&json!("mine")], vec![&json!("http://own")]));
    assert_eq!((values("A").len(), values("AWS_REGION").len(), values("POD_NAME").len()), (1, 1, 1));
}

#[test]
fn images_are_kept_as_written_and_their_names_are_checked() {
    let read = stack("images: {amazon/aws-cli: ~/venv/bin/aws, 'mycorp/consumer:1.2': ./consumer.py}");
    assert_eq!(read.images["amazon/aws-cli"], "~/venv/bin/aws");
    assert_eq!(read.images["mycorp/consumer:1.2"], "./consumer.py");
    let message = problems("images: {'no image': ./x, empty: ''}");
    assert!(message.contains("images.no image: \"no image\" is no image reference"), "{message}");
    assert!(message.contains("images.empty: no program is named"), "{message}");
}

#[test]
fn a_users_dollar_brace_is_no_reference() {
    let manifests = everything(&stack("workloads: [{env: {A: '${b.c.d}'}}]"), &site());
    let deployment = find(&manifests, "kubernetes_deployment.myproject/myapp");
    assert!(deployment.object.to_string().contains("$${b.c.d}"));
}

#[test]
fn an_unknown_template_is_an_error_that_names_it() {
    assert!(render("nope.html", &json!({})).unwrap_err().to_string().contains("nope.html"));
}

#[test]
fn an_empty_list_of_workloads_is_refused_and_an_empty_file_is_mentioned() {
    assert_eq!(
        problems("region: eu-west-1\nworkloads: []\n"),
        "stack.yaml:2:12: workloads: the list is empty, and a stack without a consumer scales nothing; name at least one, or \
         leave the key out for the sample consumer myapp"
    );
    for text in ["", "# nothing yet\n", "{}"] {
        let loaded = load(Some(File { name: "stack.yaml", text }), &[], TODAY).unwrap();
        assert!(loaded.warnings[0].to_string().contains("names no key"), "{text:?}: {:?}", loaded.warnings);
    }
    assert!(load(None, &[], TODAY).unwrap().warnings.is_empty());
}

#[test]
fn a_slip_in_the_region_is_refused_and_a_new_one_is_doubted() {
    assert_eq!(
        problems("region: us-est-1\n"),
        "stack.yaml:1:9: region: \"us-est-1\" is no AWS region; did you mean \"us-east-1\"?"
    );
    let text = "region: us-east-7\n";
    let loaded = load(Some(File { name: "stack.yaml", text }), &[], TODAY).unwrap();
    assert!(loaded.warnings[0].to_string().contains("us-east-7"), "{:?}", loaded.warnings);
}

#[test]
fn what_kubernetes_or_the_operator_has_already_is_refused_before_anything_is_made() {
    for namespace in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        let message = problems(&format!("workloads: [{{name: a, namespace: {namespace}}}]"));
        assert!(
            message.contains(&format!("workloads[0].namespace: every cluster has the namespace {namespace:?}")),
            "{message}"
        );
        let message = problems(&format!("operator: {{namespace: {namespace}}}"));
        assert!(message.contains("operator.namespace: every cluster has"), "{message}");
    }
    for (text, part) in [
        ("workloads: [{name: a, namespace: keda}]", "\"keda\" is the operator's namespace"),
        ("operator: {namespace: ops}\nworkloads: [{name: a, namespace: ops}]", "\"ops\" is the operator's namespace"),
        ("workloads: [{name: default}]", "ServiceAccount would be called \"default\""),
        ("operator: {serviceAccount: default}", "every namespace has the ServiceAccount \"default\""),
        // A label's value ends with a letter or digit, and every object carries the stack's name as one.
        ("name: demo-", "no valid stack name"),
        ("name: demo_", "no valid stack name"),
    ] {
        let message = problems(text);
        assert!(message.contains(part), "{text}: {message}");
        assert_eq!(message.lines().count(), 1, "{text}: {message}");
    }
}

#[test]
fn an_override_that_leads_nowhere_is_one_mistake() {
    for key in ["workloads[9].name", "cluster.tags[2].name", "operator.replicas[1]"] {
        let over =
            Override { key: key.to_owned(), value: "b".to_owned(), origin: Origin::Flag { name: "--set".to_owned() } };
        let problems = load(None, &[over], TODAY).unwrap_err().0;
        assert_eq!(problems.len(), 1, "{key}: {problems:?}");
        assert_eq!(problems[0].key, key);
    }
}

#[test]
fn direct_activation_is_an_annotation_and_off_by_default() {
    let scaled = |text: &str| {
        let stack = stack(text);
        find(&everything(&stack, &site()), "kubernetes_scaled_object.myproject/myapp").object.clone()
    };
    let annotation = |object: &Value| object["metadata"]["annotations"]["sluice.dev/direct-activation"].clone();
    assert_eq!(annotation(&scaled("")), Value::Null);
    assert_eq!(annotation(&scaled("workloads: [{scaling: {directActivation: true}}]")), "true");
    assert!(problems("workloads: [{scaling: {directActivation: soon}}]").contains("true or false"));
}

#[test]
fn admins_are_roles_and_users_each_once() {
    let role = "arn:aws:iam::111122223333:role/team/Admin";
    assert_eq!(stack(&format!("cluster: {{admins: ['{role}']}}")).cluster.admins, [role]);
    let session = "arn:aws:sts::111122223333:assumed-role/Admin/me";
    assert!(problems(&format!("cluster: {{admins: ['{session}']}}")).contains("no ARN of a role or user"));
    let twice = problems(&format!("cluster: {{admins: ['{role}', '{role}']}}"));
    assert!(twice.starts_with("stack.yaml:1:") && twice.contains("listed twice"), "{twice}");
}

#[test]
fn tags_are_those_that_every_service_takes() {
    let tagged = stack("tags: { team: scaling, cost-centre: 1234, \"Größe\": \"\" }").tags;
    assert_eq!(tagged.get("cost-centre").map(String::as_str), Some("1234"));
    for (tags, expected) in [
        ("{ 'aws:x': a }", "AWS keeps keys that begin so for itself"),
        ("{ 'Sluice:stack': a }", "Sluice keeps keys that begin so for itself"),
        ("{ team: 'a;b' }", "characters that AWS does not take"),
        ("{ team: a, Team: b }", "differs from it only by small and capital letters"),
    ] {
        let found = problems(&format!("tags: {tags}"));
        assert!(found.contains(expected), "{tags}: {found}");
    }
    let long = format!("tags: {{ {}: a, b: {} }}", "k".repeat(129), "v".repeat(257));
    assert_eq!(read(&long).unwrap_err().0.len(), 2);
    let many = |count: usize| (0..count).map(|n| format!("t{n}: a")).collect::<Vec<_>>().join(", ");
    assert_eq!(stack(&format!("tags: {{ {} }}", many(47))).tags.len(), 47);
    assert!(problems(&format!("tags: {{ {} }}", many(48))).contains("leave out 1 or more"));
}

#[test]
fn a_path_of_roles_is_in_every_arn_that_names_one() {
    let text = "roles: { path: /team/a/, permissionsBoundary: 'arn:aws:iam::111122223333:policy/bounds' }";
    let stack = stack(text);
    let policies = Policies { stack: &stack, account_id: "111122223333", issuer: "https://issuer/x" };
    let role = |name: &str| json!(format!("arn:aws:iam::111122223333:role/team/a/sluice-demo-{name}"));
    assert_eq!(policies.scaler_trust().unwrap()["Statement"][0]["Principal"]["AWS"], role("keda-operator"));
    let trust = policies.workload_trust(&stack.workloads[0]).unwrap();
    assert_eq!(trust["Statement"][1]["Principal"]["AWS"], role("keda-operator"));
    let policy = policies.operator_policy().unwrap().to_string();
    assert!(policy.contains(role("sqs-scaler").as_str().unwrap()) && policy.contains(role("myapp").as_str().unwrap()));
    let manifests =
        serde_json::to_string(&everything(&stack, &site()).iter().map(|one| &one.object).collect::<Vec<_>>());
    let manifests = manifests.unwrap();
    assert!(
        manifests.contains(":role/team/a/sluice-demo-") && !manifests.contains(":role/sluice-demo-"),
        "{manifests}"
    );
    for (roles, expected) in [
        ("{ path: team }", "no path of IAM"),
        ("{ path: '/a b/' }", "no path of IAM"),
        ("{ path: //x/ }", "no path of IAM"),
        ("{ path: /aws-service-role/x/ }", "AWS's own"),
        ("{ permissionsBoundary: bounds }", "no ARN of a policy"),
        ("{ permissionsBoundary: 'arn:aws:iam::111122223333:role/x' }", "no ARN of a policy"),
        ("{ permissionsBoundary: 'arn:aws-cn:iam::111122223333:policy/x' }", "partition aws-cn"),
    ] {
        let found = problems(&format!("roles: {roles}"));
        assert!(found.contains(expected), "{roles}: {found}");
    }
}

#[test]
fn an_endpoint_lets_in_whole_blocks_of_the_internet() {
    let endpoint = |text: &str| stack(&format!("cluster: {{ endpoint: {text} }}")).cluster.endpoint;
    assert!(endpoint("{}").public && endpoint("{}").private && endpoint("{}").public_access_cidrs.is_empty());
    assert!(!endpoint("{ public: false }").public);
    assert_eq!(endpoint("{ publicAccessCidrs: [203.0.113.0/24, 0.0.0.0/0] }").public_access_cidrs.len(), 2);
    for (text, expected) in [
        ("{ public: false, private: false }", "neither public nor private"),
        ("{ public: false, publicAccessCidrs: [203.0.113.0/24] }", "is not public"),
        ("{ publicAccessCidrs: [203.0.113.7] }", "\"203.0.113.7/32\""),
        ("{ publicAccessCidrs: [203.0.113.7/24] }", "\"203.0.113.0/24\" for the block"),
        ("{ publicAccessCidrs: [203.0.113.0/33] }", "no block of IPv4"),
        ("{ publicAccessCidrs: [203.0.113.0/+8] }", "no block of IPv4"),
        ("{ publicAccessCidrs: ['2001:db8::/32'] }", "no block of IPv4"),
        ("{ publicAccessCidrs: [10.0.0.0/8] }", "not of the internet"),
        ("{ publicAccessCidrs: [100.64.0.0/10] }", "not of the internet"),
        ("{ publicAccessCidrs: [203.0.113.0/24, 203.0.113.0/24] }", "listed twice"),
        ("{ private: soon }", "true or false"),
    ] {
        let found = problems(&format!("cluster: {{ endpoint: {text} }}"));
        assert!(found.contains(expected), "{text}: {found}");
    }
    let many = (0..41).map(|n| format!("203.0.113.{n}/32")).collect::<Vec<_>>().join(", ");
    assert!(problems(&format!("cluster: {{ endpoint: {{ publicAccessCidrs: [{many}] }} }}")).contains("EKS takes 40"));
    let warned =
        read("cluster: { endpoint: { private: false, publicAccessCidrs: [203.0.113.0/24] } }").unwrap().warnings;
    assert!(warned[0].cause.contains("pods on Fargate"), "{warned:?}");
}

#[test]
fn a_key_for_secrets_is_of_the_account_s_own_and_of_the_region() {
    let key = |text: &str| format!("cluster: {{ secretsKey: '{text}' }}");
    let arn = "arn:aws:kms:ap-northeast-1:111122223333:key/0a1b2c3d-0000-1111-2222-333344445555";
    for fine in [arn, "alias/eks-secrets", "arn:aws:kms:ap-northeast-1:111122223333:alias/eks/secrets"] {
        assert_eq!(stack(&key(fine)).cluster.secrets_key.as_deref(), Some(fine));
    }
    for (wrong, expected) in [
        ("0a1b2c3d-0000-1111-2222-333344445555", "neither the ARN nor an alias"),
        ("arn:aws:kms:eu-west-1:111122223333:key/0a1b", "the key is in eu-west-1"),
        ("arn:aws-cn:kms:ap-northeast-1:111122223333:key/0a1b", "partition aws-cn"),
        ("alias/aws/eks", "AWS manages"),
    ] {
        let found = problems(&key(wrong));
        assert!(found.contains(expected), "{wrong}: {found}");
    }
}

#[test]
fn logs_are_kept_for_as_long_as_cloudwatch_can() {
    assert_eq!(stack("").cluster.log_retention_days, 90);
    assert_eq!(stack("cluster: { logRetention: 0 }").cluster.log_retention_days, 0);
    assert!(problems("cluster: { logRetention: 91 }").contains("use one of 1, 3, 5"));
}

#[test]
fn a_version_that_is_newer_than_the_table_is_taken_with_a_doubt() {
    for newer in ["1.36", "1.41"] {
        let loaded = read(&format!("cluster: {{ version: '{newer}' }}")).unwrap();
        assert_eq!(loaded.stack.cluster.version, newer);
        assert!(loaded.warnings[0].cause.contains("newer than this program"), "{:?}", loaded.warnings);
    }
    for slip in ["1.3", "1.035", "2.36", "1.36.1", "1.1000", "1.28"] {
        let found = problems(&format!("cluster: {{ version: '{slip}' }}"));
        assert!(found.contains("no Kubernetes version that this program knows"), "{slip}: {found}");
    }
}

#[test]
fn the_profile_seed_keeps_the_control_plane_s_logs_unless_it_is_said_otherwise() {
    let logs = |text: &str| stack(text).cluster.logs;
    assert_eq!((logs("").len(), logs("profile: seed").len()), (0, 5));
    assert_eq!(logs("profile: seed\ncluster: { logs: [audit] }"), ["audit"]);
    assert!(logs("profile: seed\ncluster: { logs: [] }").is_empty());
    assert!(problems("profile: rich").contains("use one of lean, seed"));
}
