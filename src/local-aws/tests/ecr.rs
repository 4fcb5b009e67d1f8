//! ECR: repositories over AWS JSON, and a push and a pull with a token of it over the distribution protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::signer::{Key, Shape};
use super::{ACCOUNT, Answer, REGION, Stage};

impl Stage {
    async fn ecr_as(&self, key: &Key, operation: &str, input: Value) -> Answer {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let body = input.to_string();
        self.send(Shape { headers: &headers, body: &body, ..Shape::post("ecr", "/") }, Some(key)).await
    }

    async fn ecr(&self, operation: &str, input: Value) -> Answer {
        self.ecr_as(&self.administrator, operation, input).await
    }

    /// The `Authorization` that a token of this caller makes.
    async fn login(&self, key: &Key) -> String {
        let answer = self.ecr_as(key, "GetAuthorizationToken", json!({})).await.ok();
        let given = &answer["authorizationData"][0];
        assert_eq!(given["proxyEndpoint"], format!("http://{}", self.address));
        format!("Basic {}", given["authorizationToken"].as_str().unwrap())
    }

    async fn registry(&self, method: &str, path: &str, login: &str, body: &[u8]) -> Answer {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("http://{}{path}", self.address) };
        let mut request = http::Request::builder().method(method).uri(url);
        if !login.is_empty() {
            request = request.header("authorization", login);
        }
        let request = request.header("content-type", "application/vnd.oci.image.manifest.v1+json");
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
        let (parts, body) = self.client.request(request).await.unwrap().into_parts();
        let text = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// Uploads a blob in one part; its digest.
    async fn blob(&self, login: &str, data: &[u8]) -> String {
        let begun = self.registry("POST", "/v2/team/app/blobs/uploads/", login, b"").await;
        assert_eq!(begun.status, 202, "{}", begun.text);
        let part = self.registry("PATCH", begun.header("location"), login, data).await;
        // As ECR does, and not 202 as the specification says.
        assert_eq!(part.status, 201, "{}", part.text);
        let end = format!("{}?digest={}", part.header("location"), digest(data));
        assert_eq!(self.registry("PUT", &end, login, b"").await.status, 201);
        digest(data)
    }
}

fn digest(data: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(data)))
}

fn manifest(config: &str, layer: &str) -> Vec<u8> {
    let part = |digest: &str| json!({ "digest": digest, "size": 1, "mediaType": "application/octet-stream" });
    json!({ "schemaVersion": 2, "config": part(config), "layers": [part(layer)] }).to_string().into_bytes()
}

#[tokio::test]
async fn a_repository_is_made_found_tagged_and_removed() {
    let stage = Stage::start();
    let tags = json!([{ "Key": "sluice:stack", "Value": "demo" }]);
    let made = stage.ecr("CreateRepository", json!({ "repositoryName": "team/app", "tags": tags })).await.ok();
    let arn = format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/app");
    assert_eq!(made["repository"]["repositoryArn"], arn);
    assert_eq!(made["repository"]["repositoryUri"], format!("{}/team/app", stage.address));
    let again = stage.ecr("CreateRepository", json!({ "repositoryName": "team/app" })).await;
    assert_eq!(again.code(), "RepositoryAlreadyExistsException", "{}", again.text);
    let listed = stage.ecr("ListTagsForResource", json!({ "resourceArn": arn })).await.ok();
    assert_eq!(listed["tags"], tags);
    let more = json!({ "resourceArn": arn, "tags": [{ "Key": "team", "Value": "a" }] });
    stage.ecr("TagResource", more).await.ok();
    stage.ecr("UntagResource", json!({ "resourceArn": arn, "tagKeys": ["sluice:stack"] })).await.ok();
    let listed = stage.ecr("ListTagsForResource", json!({ "resourceArn": arn })).await.ok();
    assert_eq!(listed["tags"], json!([{ "Key": "team", "Value": "a" }]));
    stage.ecr("DeleteRepository", json!({ "repositoryName": "team/app" })).await.ok();
    let absent = stage.ecr("DescribeRepositories", json!({ "repositoryNames": ["team/app"] })).await;
    assert_eq!(absent.code(), "RepositoryNotFoundException", "{}", absent.text);
    assert!(absent.message().contains("does not exist in the registry with id '111122223333'"));
}

#[tokio::test]
async fn repositories_come_in_pages() {
    let stage = Stage::start();
    for name in ["aa", "bb", "cc"] {
        stage.ecr("CreateRepository", json!({ "repositoryName": name })).await.ok();
    }
    let (mut names, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({ "maxResults": 2 });
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let page = stage.ecr("DescribeRepositories", input).await.ok();
        let page_names = page["repositories"].as_array().unwrap().iter().map(|one| one["repositoryName"].clone());
        names.push(page_names.collect::<Vec<_>>());
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(names, [vec![json!("aa"), json!("bb")], vec![json!("cc")]]);
}

#[tokio::test]
async fn an_image_is_pushed_and_pulled_with_a_token_and_keeps_its_repository_from_being_removed() {
    let stage = Stage::start();
    stage.ecr("CreateRepository", json!({ "repositoryName": "team/app" })).await.ok();
    let login = stage.login(&stage.administrator).await;
    let config = stage.blob(&login, b"{}").await;
    let early = stage.registry("PUT", "/v2/team/app/manifests/1", &login, &manifest(&config, "sha256:00")).await;
    assert_eq!((early.status, early.text.contains("LAYERS_NOT_FOUND")), (404, true), "{}", early.text);
    let layer = stage.blob(&login, b"a layer").await;
    let manifest = manifest(&config, &layer);
    let put = stage.registry("PUT", "/v2/team/app/manifests/1", &login, &manifest).await;
    assert_eq!((put.status, put.header("docker-content-digest")), (201, digest(&manifest).as_str()));
    let pulled = stage.registry("GET", "/v2/team/app/manifests/1", &login, b"").await;
    assert_eq!(pulled.text.as_bytes(), manifest);
    assert_eq!(stage.registry("GET", &format!("/v2/team/app/blobs/{layer}"), &login, b"").await.text, "a layer");
    let listed = stage.ecr("ListImages", json!({ "repositoryName": "team/app" })).await.ok();
    assert_eq!(listed["imageIds"], json!([{ "imageDigest": digest(&manifest), "imageTag": "1" }]));
    let kept = stage.ecr("DeleteRepository", json!({ "repositoryName": "team/app" })).await;
    assert_eq!(kept.code(), "RepositoryNotEmptyException", "{}", kept.text);
    stage.ecr("DeleteRepository", json!({ "repositoryName": "team/app", "force": true })).await.ok();
    let gone = stage.registry("GET", "/v2/team/app/manifests/1", &login, b"").await;
    assert_eq!((gone.status, gone.text.contains("NAME_UNKNOWN")), (404, true), "{}", gone.text);
}

#[tokio::test]
async fn nobody_pushes_without_a_token_that_is_in_force_nor_without_the_right() {
    let stage = Stage::start();
    stage.ecr("CreateRepository", json!({ "repositoryName": "team/app" })).await.ok();
    let uploads = "/v2/team/app/blobs/uploads/";
    let wrong = format!("Basic {}", STANDARD.encode("AWS:guessed"));
    for login in ["", wrong.as_str()] {
        let refused = stage.registry("POST", uploads, login, b"").await;
        assert_eq!(refused.status, 401, "{}", refused.text);
        assert!(refused.header("www-authenticate").starts_with("Basic realm="), "{:?}", refused.headers);
    }
    let reader = json!([{ "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" }]);
    let reader = stage.role("reader", &reader).await;
    let login = stage.login(&stage.session(&reader).await).await;
    let refused = stage.registry("POST", uploads, &login, b"").await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(refused.text.contains("ecr:InitiateLayerUpload"), "{}", refused.text);
    let login = stage.login(&stage.administrator).await;
    assert_eq!(stage.registry("POST", uploads, &login, b"").await.status, 202);
    stage.handle.advance(std::time::Duration::from_hours(13));
    let expired = stage.registry("POST", uploads, &login, b"").await;
    assert_eq!((expired.status, expired.text.contains("expired")), (401, true), "{}", expired.text);
}
