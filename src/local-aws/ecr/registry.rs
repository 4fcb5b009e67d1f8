//! The registry of ECR: the distribution protocol under `/v2/`, for whoever has a token of GetAuthorizationToken.
//!
//! Protocol: OCI Distribution Specification 1.1, "Endpoints" and "Error Codes". Which action of IAM each step needs: ECR User
//! Guide, "IAM permissions for pushing an image". As ECR does, it answers the first part of an upload with 201
//! (aws/containers-roadmap 2831), makes no repository by itself, and leaves out the `Location` of a manifest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::store::{Manifest, Repository};
use super::{USER, arn};
use crate::authorization::Access;
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::identifier;
use crate::protocol::Answer;
use crate::request::{Request, decode};

/// A refusal in the protocol's own form.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

fn refusal(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, code, message: message.into() }
}

/// What a path is about.
enum Target<'a> {
    /// `/v2/`
    Root,
    Uploads,
    Upload(&'a str),
    Blob(&'a str),
    Manifest(&'a str),
}

/// Whether the request is the registry's.
pub(crate) fn is_meant(request: &Request) -> bool {
    request.path == "/v2" || request.path.starts_with("/v2/")
}

/// Answers a request of the registry. `call` is whoever asks, but for who that is.
pub(crate) fn answer(cloud: &Cloud, request: &Request, call: Call) -> Answer {
    let path = decode(&request.path);
    let answered = authenticated(cloud, request, call).and_then(|call| {
        let rest = path.trim_start_matches("/v2").trim_start_matches('/');
        let (name, target) = parse(rest).ok_or_else(|| refusal(404, "NAME_UNKNOWN", "there is no such page"))?;
        Operation { cloud, request, call, name }.serve(&target)
    });
    answered.unwrap_or_else(|Refusal { status, code, message }| {
        let body = json!({ "errors": [{ "code": code, "message": message }] }).to_string();
        let mut answer = Response::builder().status(status).header("content-type", "application/json");
        if status == 401 {
            let realm = request.header("host").unwrap_or_default();
            let challenge = format!("Basic realm=\"http://{realm}/\",service=\"ecr.amazonaws.com\"");
            answer = answer.header("www-authenticate", challenge);
        }
        answer.body(Full::new(Bytes::from(body))).unwrap_or_default()
    })
}

/// Repository and target of a path below `/v2/`.
fn parse(rest: &str) -> Option<(&str, Target<'_>)> {
    if rest.is_empty() {
        return Some(("", Target::Root));
    }
    if let Some((name, id)) = rest.split_once("/blobs/uploads") {
        let id = id.trim_matches('/');
        return Some((name, if id.is_empty() { Target::Uploads } else { Target::Upload(id) }));
    }
    if let Some((name, digest)) = rest.rsplit_once("/blobs/") {
        return Some((name, Target::Blob(digest)));
    }
    let (name, reference) = rest.rsplit_once("/manifests/")?;
    Some((name, Target::Manifest(reference)))
}

/// The call of whom the token was given to.
fn authenticated(cloud: &Cloud, request: &Request, call: Call) -> Result<Call, Refusal> {
    let denied = |why: &str| refusal(401, "UNAUTHORIZED", why);
    let given = request.header("authorization").and_then(|header| header.strip_prefix("Basic "));
    let given = given.ok_or_else(|| denied("authentication required"))?;
    let text = STANDARD.decode(given).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let password = text.strip_prefix(USER).and_then(|rest| rest.strip_prefix(':')).unwrap_or_default();
    match cloud.ecr().tokens.get(password) {
        Some((caller, until)) if *until > call.now => Ok(Call { caller: caller.clone(), ..call }),
        Some(_) => Err(denied("Your authorization token has expired. Reauthenticate and try again.")),
        None => Err(denied("Not Authorized")),
    }
}

struct Operation<'a> {
    cloud: &'a Cloud,
    request: &'a Request,
    call: Call,
    /// The repository.
    name: &'a str,
}

fn empty(status: u16, headers: &[(&str, &str)]) -> Answer {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(Full::new(Bytes::new())).unwrap_or_default()
}

fn digest(data: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(data)))
}

impl Operation<'_> {
    fn serve(&self, target: &Target<'_>) -> Result<Answer, Refusal> {
        match (target, &self.request.method) {
            (Target::Root, &Method::GET | &Method::HEAD) => {
                Ok(empty(200, &[("docker-distribution-api-version", "registry/2.0")]))
            }
            (Target::Uploads, &Method::POST) => self.begin(),
            (Target::Upload(id), &Method::PATCH) => self.append(id),
            (Target::Upload(id), &Method::PUT) => self.complete(id),
            (Target::Blob(digest), &Method::GET | &Method::HEAD) => self.blob(digest),
            (Target::Manifest(reference), &Method::PUT) => self.put_manifest(reference),
            (Target::Manifest(reference), &Method::GET | &Method::HEAD) => self.manifest(reference),
            _ => Err(refusal(405, "UNSUPPORTED", "The operation is unsupported.")),
        }
    }

    /// The caller may do `action`, and the repository is there: what `work` makes of it.
    fn with<T>(&self, action: &str, work: impl FnOnce(&mut Repository) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let (resource, action) = (arn(self.cloud, self.name), format!("ecr:{action}"));
        let allowed = self.cloud.authorize(&self.call, Access::new(&action, &resource));
        allowed.map_err(|fault| refusal(403, "DENIED", fault.message))?;
        let mut store = self.cloud.ecr();
        let Some(repository) = store.repositories.get_mut(self.name) else {
            let (name, account) = (self.name, &self.cloud.account);
            let text = format!("The repository with name '{name}' does not exist in the registry with id '{account}'");
            return Err(refusal(404, "NAME_UNKNOWN", text));
        };
        work(repository)
    }

    fn begin(&self) -> Result<Answer, Refusal> {
        let id = identifier::uuid();
        self.with("InitiateLayerUpload", |repository| {
            repository.uploads.insert(id.clone(), Vec::new());
            Ok(())
        })?;
        Ok(self.upload_at(202, &id, None))
    }

    /// The way to an upload, absolute as ECR's is.
    fn upload_at(&self, status: u16, id: &str, length: Option<usize>) -> Answer {
        let location = format!("http://{}/v2/{}/blobs/uploads/{id}", self.call.host, self.name);
        let range = format!("0-{}", length.unwrap_or_default().saturating_sub(1));
        empty(status, &[("location", &location), ("docker-upload-uuid", id), ("range", &range)])
    }

    fn append(&self, id: &str) -> Result<Answer, Refusal> {
        let length = self.with("UploadLayerPart", |repository| {
            let upload = repository.uploads.get_mut(id);
            let upload = upload.ok_or_else(|| refusal(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload"))?;
            upload.extend_from_slice(&self.request.body);
            Ok(upload.len())
        })?;
        Ok(self.upload_at(201, id, Some(length)))
    }

    fn complete(&self, id: &str) -> Result<Answer, Refusal> {
        let wanted = self.request.parameter("digest").unwrap_or_default();
        self.with("CompleteLayerUpload", |repository| {
            let upload = repository.uploads.remove(id);
            let mut data = upload.ok_or_else(|| refusal(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload"))?;
            data.extend_from_slice(&self.request.body);
            if digest(&data) != wanted {
                return Err(refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content"));
            }
            repository.blobs.insert(wanted.clone(), data.into());
            Ok(())
        })?;
        let location = format!("http://{}/v2/{}/blobs/{wanted}", self.call.host, self.name);
        Ok(empty(201, &[("location", &location), ("docker-content-digest", &wanted)]))
    }

    fn blob(&self, wanted: &str) -> Result<Answer, Refusal> {
        let is_look = self.request.method == Method::HEAD;
        let action = if is_look { "BatchCheckLayerAvailability" } else { "GetDownloadUrlForLayer" };
        let data = self.with(action, |repository| {
            let found = repository.blobs.get(wanted).cloned();
            found.ok_or_else(|| refusal(404, "BLOB_UNKNOWN", "blob unknown to registry"))
        })?;
        Ok(self.content("application/octet-stream", wanted, data))
    }

    fn content(&self, kind: &str, digest: &str, data: Bytes) -> Answer {
        let length = data.len();
        let body = if self.request.method == Method::HEAD { Bytes::new() } else { data };
        let answer = Response::builder().status(200).header("content-type", kind).header("content-length", length);
        answer.header("docker-content-digest", digest).body(Full::new(body)).unwrap_or_default()
    }

    fn put_manifest(&self, reference: &str) -> Result<Answer, Refusal> {
        let data = self.request.body.clone();
        let value: Value =
            serde_json::from_slice(&data).map_err(|_| refusal(400, "MANIFEST_INVALID", "the manifest is no JSON"))?;
        let found = digest(&data);
        self.with("PutImage", |repository| {
            let layers = value["layers"].as_array().into_iter().flatten();
            for part in layers.chain([&value["config"]]).filter_map(|part| part["digest"].as_str()) {
                if !repository.blobs.contains_key(part) {
                    return Err(refusal(404, "LAYERS_NOT_FOUND", format!("blob unknown to registry: {part}")));
                }
            }
            if reference.starts_with("sha256:") {
                if reference != found {
                    return Err(refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content"));
                }
            } else if repository.is_immutable && repository.names.get(reference).is_some_and(|it| *it != found) {
                let text = format!("The image tag '{reference}' already exists and cannot be overwritten");
                return Err(refusal(400, "TAG_INVALID", text));
            } else {
                repository.names.insert(reference.to_owned(), found.clone());
            }
            let kind = self.request.header("content-type").unwrap_or_default().to_owned();
            repository.manifests.insert(found.clone(), Manifest { media_type: kind, data: data.clone() });
            Ok(())
        })?;
        Ok(empty(201, &[("docker-content-digest", &found)]))
    }

    fn manifest(&self, reference: &str) -> Result<Answer, Refusal> {
        let (found, manifest) = self.with("BatchGetImage", |repository| {
            let named = repository.names.get(reference).map_or(reference, String::as_str).to_owned();
            let manifest = repository.manifests.get(&named).cloned();
            let manifest = manifest.ok_or_else(|| refusal(404, "MANIFEST_UNKNOWN", "manifest unknown"))?;
            Ok((named, manifest))
        })?;
        Ok(self.content(&manifest.media_type, &found, manifest.data))
    }
}
