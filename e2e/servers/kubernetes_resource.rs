//! ConfigMaps and Secrets, of the API server that the stack has anyway.

use serde_json::json;

use crate::scenarios::objects::{Objects, core};
use crate::servers::scaling::Scaled;

pub(crate) fn run(objects: &Objects<'_>) {
    let key = |kind: &str, name: &str, key: &str| json!({"resourceKind": kind, "resourceName": name, "key": key, "targetValue": "5"});
    let type_ = "kubernetes-resource";
    let number = Scaled::new(objects, "number", type_, &key("ConfigMap", "load", "orders"), &[]);
    let mut of_secret = key("Secret", "load", "orders");
    of_secret["activationTargetValue"] = "4".into();
    let of_secret = Scaled::new(objects, "of-secret", type_, &of_secret, &[]);
    let mut in_json = key("ConfigMap", "load", "json");
    (in_json["format"], in_json["valueLocation"]) = ("json".into(), "queues.0.orders".into());
    let in_json = Scaled::new(objects, "in-json", type_, &in_json, &[]);
    let missing = Scaled::new(objects, "missing", type_, &key("ConfigMap", "nowhere", "orders"), &[]);

    number.fails(&["ConfigMap e2e-objects/load", "not found"]);
    missing.fails(&["ConfigMap e2e-objects/nowhere", "not found"]);
    let data = |orders: u32| {
        json!({
            "orders": orders.to_string(), "json": json!({"queues": [{"orders": orders}]}).to_string(), "text": "many",
        })
    };
    let config = json!({"metadata": {"name": "load"}, "data": data(0)});
    objects.post(&core("configmaps"), &config);
    objects.post(&core("secrets"), &json!({"metadata": {"name": "load"}, "stringData": data(4)}));
    let other = Scaled::new(objects, "other", type_, &key("ConfigMap", "load", "nothing"), &[]);
    other.fails(&["key nothing not found"]);
    let text = Scaled::new(objects, "text", type_, &key("ConfigMap", "load", "text"), &[]);
    text.fails(&["error parsing value as float64"]);
    let all = [&number, &of_secret, &in_json];
    for scaled in all {
        scaled.is_ready();
        scaled.has(0);
    }
    let set = |orders: u32| {
        objects.patch(&format!("{}/load", core("configmaps")), &json!({"data": data(orders)}));
        objects.patch(&format!("{}/load", core("secrets")), &json!({"stringData": data(orders)}));
    };
    set(15);
    for scaled in all {
        scaled.has(3);
    }
    objects.delete(&format!("{}/load", core("configmaps")));
    for scaled in [&number, &in_json] {
        scaled.fails(&["not found"]);
        scaled.stays();
    }
    objects.post(&core("configmaps"), &json!({"metadata": {"name": "load"}, "data": data(15)}));
    for scaled in all {
        scaled.is_ready();
        scaled.has(3);
    }
    set(0);
    for scaled in all {
        scaled.has(0);
    }
}
