//! Volumes: folders below the pod's folder, filled from ConfigMaps, Secrets, fields of the pod and tokens.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::environment::{Source, Sources, data_of, field, resource};
use super::file_system;
use super::mounts::volume_dir;
use super::pod::Pod;
use crate::error::{Error, Result};
use crate::object::{Key, flag, integer, items, name, namespace, text, uid};

/// Tokens are renewed when this part of their life is over.
const TOKEN_LIFE_USED: f64 = 0.8;

/// Makes all volumes of a pod. Fails on the first that cannot be made; making them again is harmless.
pub(super) async fn make(pod: &Pod) -> Result<()> {
    let object = pod.object_on_its_node();
    for volume in items(&object, "/spec/volumes") {
        let folder = volume_dir(&pod.dir, text(volume, "/name"));
        let claim = text(volume, "/persistentVolumeClaim/claimName");
        if !claim.is_empty() {
            file_system::attach(pod, &object, claim, &folder)?;
            continue;
        }
        std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        for (path, content) in contents(pod, &object, volume).await? {
            write(&folder.join(path), &content)?;
        }
    }
    Ok(())
}

/// Renews the tokens of a pod for as long as it is polled, in real time: tokens live in real time.
pub(super) async fn renew(pod: &Pod) {
    let object = pod.object();
    let tokens: Vec<(&Value, &Value)> = items(&object, "/spec/volumes")
        .iter()
        .flat_map(|volume| items(volume, "/projected/sources").iter().map(move |source| (volume, source)))
        .filter(|(_, source)| source.get("serviceAccountToken").is_some())
        .collect();
    let renewals = tokens.into_iter().map(|(volume, source)| renew_one(pod, &object, volume, source));
    futures::future::join_all(renewals).await;
}

async fn renew_one(pod: &Pod, object: &Value, volume: &Value, source: &Value) {
    let spec = &source["serviceAccountToken"];
    let life = integer(spec, "/expirationSeconds").unwrap_or(3600).max(1) as u64;
    let mut pause = Duration::from_secs(life).mul_f64(TOKEN_LIFE_USED);
    loop {
        pod.cache.pause(pause).await;
        let path = volume_dir(&pod.dir, text(volume, "/name")).join(text(spec, "/path"));
        let renewed = token(pod, object, spec).await;
        pause = match renewed.and_then(|(token, left)| write(&path, token.as_bytes()).map(|()| left)) {
            Ok(left) => left.mul_f64(TOKEN_LIFE_USED),
            Err(error) => {
                tracing::warn!(pod = %Key::of(object), %error, "failed to renew a token; trying again");
                Duration::from_secs(5)
            }
        };
    }
}

/// A token bound to the pod, and its real lifetime.
async fn token(pod: &Pod, object: &Value, spec: &Value) -> Result<(String, Duration)> {
    let account = match text(object, "/spec/serviceAccountName") {
        "" => "default",
        account => account,
    };
    let audiences: Vec<&str> = Some(text(spec, "/audience")).into_iter().filter(|one| !one.is_empty()).collect();
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {
            "audiences": audiences,
            "expirationSeconds": integer(spec, "/expirationSeconds").unwrap_or(3600),
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": name(object), "uid": uid(object)},
        },
    });
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/{account}/token", namespace(object));
    let action = format!("failed to request a token for service account {}/{account}", namespace(object));
    let answer = pod.cache.client.create(&path, &request).await.map_err(Error::api(action))?;
    let expires: Option<Timestamp> = text(&answer, "/status/expirationTimestamp").parse().ok();
    let left = expires.and_then(|expires| Duration::try_from(expires.duration_since(pod.cache.clock.now())).ok());
    Ok((text(&answer, "/status/token").to_owned(), left.unwrap_or(Duration::from_mins(10))))
}

type Files = BTreeMap<String, Vec<u8>>;

async fn contents(pod: &Pod, object: &Value, volume: &Value) -> Result<Files> {
    if let Some(map) = volume.get("configMap") {
        return from_source(pod, object, "configmaps", text(map, "/name"), map).await;
    }
    if let Some(secret) = volume.get("secret") {
        return from_source(pod, object, "secrets", text(secret, "/secretName"), secret).await;
    }
    if let Some(downward) = volume.get("downwardAPI") {
        return from_fields(object, downward);
    }
    if let Some(projected) = volume.get("projected") {
        let mut files = Files::new();
        for source in items(projected, "/sources") {
            files.extend(from_projection(pod, object, source).await?);
        }
        return Ok(files);
    }
    if volume.get("emptyDir").is_some() || volume.as_object().is_some_and(|volume| volume.len() == 1) {
        return Ok(Files::new());
    }
    Err(Error::Invalid(format!(
        "volume \"{}\" has a type that Fargate does not offer; use emptyDir, configMap, secret, downwardAPI, projected or a claim",
        text(volume, "/name")
    )))
}

async fn from_projection(pod: &Pod, object: &Value, source: &Value) -> Result<Files> {
    if let Some(spec) = source.get("serviceAccountToken") {
        let (token, _) = token(pod, object, spec).await?;
        return Ok(Files::from([(text(spec, "/path").to_owned(), token.into_bytes())]));
    }
    if let Some(map) = source.get("configMap") {
        return from_source(pod, object, "configmaps", text(map, "/name"), map).await;
    }
    if let Some(secret) = source.get("secret") {
        return from_source(pod, object, "secrets", text(secret, "/name"), secret).await;
    }
    source.get("downwardAPI").map_or_else(|| Ok(Files::new()), |downward| from_fields(object, downward))
}

async fn from_source(pod: &Pod, object: &Value, id: &'static str, wanted: &str, spec: &Value) -> Result<Files> {
    let source = Source { id, name: wanted.to_owned() };
    let found = fetch(pod, namespace(object), vec![source.clone()]).await?;
    let Some(data) = found.get(&source) else {
        if flag(spec, "/optional") {
            return Ok(Files::new());
        }
        return Err(Error::Invalid(format!("{} \"{wanted}\" not found", id.trim_end_matches('s'))));
    };
    if items(spec, "/items").is_empty() {
        return Ok(data.clone());
    }
    let mut files = Files::new();
    for item in items(spec, "/items") {
        match data.get(text(item, "/key")) {
            Some(content) => drop(files.insert(text(item, "/path").to_owned(), content.clone())),
            None if flag(spec, "/optional") => {}
            None => {
                let key = text(item, "/key");
                return Err(Error::Invalid(format!("references non-existent key in {wanted}: {key}")));
            }
        }
    }
    Ok(files)
}

fn from_fields(object: &Value, downward: &Value) -> Result<Files> {
    let mut files = Files::new();
    for item in items(downward, "/items") {
        let content = match item.get("fieldRef") {
            Some(reference) => field(object, text(reference, "/fieldPath")),
            None => resource(object, &Value::Null, &item["resourceFieldRef"]),
        };
        files.insert(text(item, "/path").to_owned(), content.map_err(Error::Invalid)?.into_bytes());
    }
    Ok(files)
}

/// Reads ConfigMaps and Secrets of the pod's namespace; those that do not exist are absent from the answer.
pub(super) async fn fetch(pod: &Pod, namespace: &str, wanted: Vec<Source>) -> Result<Sources> {
    let mut found = Sources::new();
    for source in wanted {
        if found.contains_key(&source) {
            continue;
        }
        let key = Key::new(namespace, source.name.clone());
        if let Some(object) = pod.cache.fetch(&pod.cache.client, source.id, &key).await? {
            let data = data_of(source.id, &object);
            found.insert(source, data);
        }
    }
    Ok(found)
}

/// Writes a file in one step, so that a reader sees the old or the new content.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    }
    let fresh = path.with_file_name(format!(".{:08x}.new", fastrand::u32(..)));
    std::fs::write(&fresh, content).map_err(Error::file(&fresh))?;
    std::fs::rename(&fresh, path).map_err(Error::file(path))
}
