//! ECR: repositories and their tags over AWS JSON, and the images in them over the distribution protocol ([`registry`]).
//!
//! Codes and texts: ECR API Reference and User Guide. Images are held in memory and go with the cloud.

pub(crate) mod registry;
pub(crate) mod store;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::authorization::{Access, request_tags, resource_tags};
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::policy::Context;
use crate::request::{Request, Service};
use crate::{coverage, identifier, intake, strings};
use store::Repository;

/// How long a token lasts, in real time.
const TOKEN_LIFETIME: jiff::SignedDuration = jiff::SignedDuration::from_hours(12);
/// The user of every token.
const USER: &str = "AWS";
/// Repositories of a page, if the call does not say.
const PAGE: u64 = 100;

/// One call with its input.
struct Operation<'a> {
    cloud: &'a Cloud,
    call: &'a Call,
    action: &'a str,
    input: Value,
}

/// Performs `action`.
pub(crate) fn call(cloud: &Cloud, call: &Call, action: &str, request: &Request) -> Result<Value, Fault> {
    let input: Value = serde_json::from_slice(&request.body)
        .map_err(|_| Fault::sender("MalformedInput", "The request body is no JSON."))?;
    intake::check(Service::Ecr, action, &input)?;
    let operation = Operation { cloud, call, action, input };
    match action {
        "GetAuthorizationToken" => operation.token(),
        "CreateRepository" => operation.create(),
        "DescribeRepositories" => operation.describe(),
        "DeleteRepository" => operation.delete(),
        "ListTagsForResource" | "TagResource" | "UntagResource" => operation.tags(),
        "ListImages" => operation.images(),
        _ => Err(coverage::not_offered(Service::Ecr, action).unwrap_or_else(|| {
            Fault::sender("InvalidAction", format!("The action {action} is not valid for this endpoint."))
        })),
    }
}

/// The ARN of a repository.
pub(crate) fn arn(cloud: &Cloud, name: &str) -> String {
    format!("arn:aws:ecr:{}:{}:repository/{name}", cloud.region, cloud.account)
}

fn not_found(cloud: &Cloud, name: &str) -> Fault {
    let account = &cloud.account;
    let text = format!("The repository with name '{name}' does not exist in the registry with id '{account}'");
    Fault::sender("RepositoryNotFoundException", text)
}

/// The tags of an input, in the order of their keys.
fn given_tags(input: &Value) -> BTreeMap<String, String> {
    let pair =
        |tag: &Value| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str().unwrap_or_default().to_owned()));
    input["tags"].as_array().into_iter().flatten().filter_map(pair).collect()
}

impl Operation<'_> {
    fn text(&self, name: &str) -> &str {
        self.input[name].as_str().unwrap_or_default()
    }

    fn allowed(&self, resource: &str, context: Context) -> Result<(), Fault> {
        let action = format!("ecr:{}", self.action);
        self.cloud.authorize(self.call, Access { context, ..Access::new(&action, resource) })
    }

    /// The same on a repository, with the tags that it has.
    fn allowed_on(&self, name: &str) -> Result<(), Fault> {
        let mut context = Context::default();
        if let Some(repository) = self.cloud.ecr().repositories.get(name) {
            resource_tags(&mut context, &repository.tags);
        }
        self.allowed(&arn(self.cloud, name), context)
    }

    fn token(&self) -> Result<Value, Fault> {
        self.allowed("*", Context::default())?;
        let (password, expires_at) = (identifier::uuid(), self.call.now + TOKEN_LIFETIME);
        self.cloud.ecr().tokens.insert(password.clone(), (self.call.caller.clone(), expires_at));
        let token = STANDARD.encode(format!("{USER}:{password}"));
        Ok(json!({ "authorizationData": [{
            "authorizationToken": token,
            "expiresAt": expires_at.as_second(),
            "proxyEndpoint": format!("http://{}", self.call.host),
        }] }))
    }

    fn create(&self) -> Result<Value, Fault> {
        let (name, tags) = (self.text("repositoryName"), given_tags(&self.input));
        let arn = arn(self.cloud, name);
        let context = || {
            let mut context = Context::default();
            request_tags(&mut context, &tags);
            context
        };
        self.allowed(&arn, context())?;
        if !tags.is_empty() {
            let tagging = Access { context: context(), ..Access::new("ecr:TagResource", &arn) };
            self.cloud.authorize(self.call, tagging)?;
        }
        if !store::is_name(name) {
            let text =
                format!("Invalid parameter at 'repositoryName' failed to satisfy constraint: '{name}' is no name");
            return Err(Fault::sender("InvalidParameterException", text));
        }
        let mut store = self.cloud.ecr();
        if store.repositories.contains_key(name) {
            let account = &self.cloud.account;
            let text = format!("The repository with name '{name}' already exists in the registry with id '{account}'");
            return Err(Fault::sender("RepositoryAlreadyExistsException", text));
        }
        let is_immutable = self.text("imageTagMutability") == "IMMUTABLE";
        let made = Repository { tags, is_immutable, created_at: self.call.now, ..Repository::default() };
        let shown = self.shown(name, &made);
        store.repositories.insert(name.to_owned(), made);
        Ok(json!({ "repository": shown }))
    }

    fn shown(&self, name: &str, repository: &Repository) -> Value {
        json!({
            "repositoryArn": arn(self.cloud, name),
            "registryId": self.cloud.account,
            "repositoryName": name,
            "repositoryUri": format!("{}/{name}", self.call.host),
            "createdAt": repository.created_at.as_second(),
            "imageTagMutability": if repository.is_immutable { "IMMUTABLE" } else { "MUTABLE" },
            "imageScanningConfiguration": { "scanOnPush": false },
            "encryptionConfiguration": { "encryptionType": "AES256" },
        })
    }

    fn describe(&self) -> Result<Value, Fault> {
        let wanted = strings::list(self.input.get("repositoryNames"));
        if wanted.is_empty() {
            self.allowed(&arn(self.cloud, "*"), Context::default())?;
        }
        for name in &wanted {
            self.allowed_on(name)?;
        }
        let store = self.cloud.ecr();
        if let Some(absent) = wanted.iter().find(|name| !store.repositories.contains_key(*name)) {
            return Err(not_found(self.cloud, absent));
        }
        let from = self.text("nextToken");
        let size = self.input["maxResults"].as_u64().unwrap_or(PAGE) as usize;
        let mut found = store
            .repositories
            .iter()
            .filter(|(name, _)| wanted.is_empty() || wanted.contains(name))
            .skip_while(|(name, _)| name.as_str() <= from && !from.is_empty());
        let page: Vec<_> = found.by_ref().take(size).collect();
        let token = found.next().and_then(|_| page.last()).map(|(name, _)| (*name).clone());
        let shown: Vec<_> = page.iter().map(|(name, repository)| self.shown(name, repository)).collect();
        let mut answer = json!({ "repositories": shown });
        if let Some(token) = token {
            answer["nextToken"] = json!(token);
        }
        Ok(answer)
    }

    fn delete(&self) -> Result<Value, Fault> {
        let name = self.text("repositoryName");
        self.allowed_on(name)?;
        let mut store = self.cloud.ecr();
        let repository = store.repositories.get(name).ok_or_else(|| not_found(self.cloud, name))?;
        if !repository.manifests.is_empty() && self.input["force"] != true {
            let account = &self.cloud.account;
            let text = format!(
                "The repository with name '{name}' in registry with id '{account}' cannot be deleted because it still contains images"
            );
            return Err(Fault::sender("RepositoryNotEmptyException", text));
        }
        let shown = self.shown(name, repository);
        store.repositories.remove(name);
        Ok(json!({ "repository": shown }))
    }

    fn tags(&self) -> Result<Value, Fault> {
        let given = self.text("resourceArn");
        let name = given.split_once(":repository/").map_or("", |(_, name)| name);
        let name = if given == arn(self.cloud, name) { name } else { "" };
        self.allowed_on(name)?;
        let mut store = self.cloud.ecr();
        let repository = store.repositories.get_mut(name).ok_or_else(|| not_found(self.cloud, name))?;
        match self.action {
            "TagResource" => repository.tags.extend(given_tags(&self.input)),
            "UntagResource" => {
                let keys = strings::list(self.input.get("tagKeys"));
                repository.tags.retain(|key, _| !keys.contains(key));
            }
            _ => {
                let pair = |(key, value): (&String, &String)| json!({ "Key": key, "Value": value });
                return Ok(json!({ "tags": repository.tags.iter().map(pair).collect::<Vec<_>>() }));
            }
        }
        Ok(json!({}))
    }

    fn images(&self) -> Result<Value, Fault> {
        let name = self.text("repositoryName");
        self.allowed_on(name)?;
        let store = self.cloud.ecr();
        let repository = store.repositories.get(name).ok_or_else(|| not_found(self.cloud, name))?;
        let tagged = repository.names.iter().map(|(tag, digest)| json!({ "imageDigest": digest, "imageTag": tag }));
        let untagged = repository.manifests.keys().filter(|digest| !repository.names.values().any(|it| it == *digest));
        let untagged = untagged.map(|digest| json!({ "imageDigest": digest }));
        Ok(json!({ "imageIds": tagged.chain(untagged).collect::<Vec<_>>() }))
    }
}
