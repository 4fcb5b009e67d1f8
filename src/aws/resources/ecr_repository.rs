//! `aws_ecr_repository`: name; computed arn, url and registry (the host in it). The id is the name. It is removed with its images,
//! which are the stack's.

use provision::{Attributes, Context, Failure, Known, Object, Reading, Schema};
use serde_json::{Value, json};

use super::edit::Edit;
use super::passing::call;
use super::value::{self, text};
use crate::cloud::Cloud;
use crate::ecr;
use crate::error::{Error, Result};

pub(super) const SCHEMA: Schema =
    Schema { force_new: &["name"], computed: &["arn", "url", "registry"], sensitive: &[], open: &[], set_once: &[] };

const DESCRIBE: &str = "ecr:DescribeRepositories";

pub(super) async fn read(cloud: &Cloud, known: Known<'_>) -> Result<Reading, Failure> {
    let name = text(known.desired, "name")?;
    Ok(fetch(cloud, name).await?.map_or(Reading::Absent, |object| cloud.claim(object)))
}

pub(crate) async fn fetch(cloud: &Cloud, name: &str) -> Result<Option<Object>> {
    let answer = match ecr::call(cloud.session(), DESCRIBE, &json!({ "repositoryNames": [name] })).await {
        Ok(answer) => answer,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = &answer["repositories"][0];
    let (arn, url) = found["repositoryArn"]
        .as_str()
        .zip(found["repositoryUri"].as_str())
        .ok_or_else(|| Error::answer(DESCRIBE, "the repository has no ARN or no address"))?;
    let tags = match ecr::call(cloud.session(), "ecr:ListTagsForResource", &json!({ "resourceArn": arn })).await {
        Ok(answer) => answer["tags"].clone(),
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let tags =
        tags.as_array().into_iter().flatten().filter_map(|tag| Some((tag["Key"].as_str()?, tag["Value"].clone())));
    let tags: serde_json::Map<String, Value> = tags.map(|(key, value)| (key.to_owned(), value)).collect();
    let registry = url.split('/').next().unwrap_or_default();
    let attributes = value::attributes([
        ("name", json!(name)),
        ("arn", json!(arn)),
        ("url", json!(url)),
        ("registry", json!(registry)),
        ("tags", tags.into()),
    ]);
    Ok(Some(Object::new(name, attributes)))
}

/// The names of all repositories.
pub(crate) async fn list(cloud: &Cloud) -> Result<Vec<String>> {
    let (mut names, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({ "maxResults": 1000 });
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let answer = ecr::call(cloud.session(), DESCRIBE, &input).await?;
        let found = answer["repositories"].as_array().into_iter().flatten();
        names.extend(found.filter_map(|one| one["repositoryName"].as_str().map(str::to_owned)));
        token = answer["nextToken"].clone();
        if token.is_null() {
            return Ok(names);
        }
    }
}

pub(super) fn tag_list(tags: impl IntoIterator<Item = (String, String)>) -> Value {
    tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let name = text(desired, "name")?;
    let input = json!({ "repositoryName": name, "tags": tag_list(value::tags(desired)) });
    call(context, || ecr::call(cloud.session(), "ecr:CreateRepository", &input)).await?;
    fetch(cloud, name)
        .await?
        .ok_or_else(|| Failure::new(format!("the repository {name} is not there after its creation")))
}

/// What is there, when its tags have been changed.
pub(super) async fn again(cloud: &Cloud, edit: Edit<'_>) -> Result<Object, Failure> {
    let name = &edit.current.id;
    fetch(cloud, name).await?.ok_or_else(|| Failure::new(format!("the repository {name} has gone meanwhile")))
}

pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    // An image of a stack that is gone is nobody's.
    let input = json!({ "repositoryName": current.id, "force": true });
    call(context, || async {
        match ecr::call(cloud.session(), "ecr:DeleteRepository", &input).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    })
    .await?;
    Ok(())
}
