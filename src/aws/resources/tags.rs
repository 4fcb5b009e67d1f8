//! Tags of everything that has some: which of them are ours, and how they are put on and taken off.
//!
//! Others tag things as well (cost allocation, an account's automation), and theirs are left alone. Ours are those that are
//! declared and those that an earlier run put on, which the attribute `tag_keys` of the recorded object names; a read shows
//! no others. Without a record nobody knows who put on a tag that is not declared, and it stays.

use std::collections::{BTreeSet, HashMap};

use provision::{Attributes, Context, Failure, Known, Object, Reading};
use serde_json::{Value, json};

use super::ecr_repository::tag_list;
use super::edit::Edit;
use super::kind::Kind;
use super::passing::call;
use super::role::iam_tags_of;
use super::value::{self, text};
use crate::cloud::Cloud;
use crate::cloudwatch_logs;
use crate::ec2::{self, Form};
use crate::ecr;
use crate::error::{Error, Result};

/// The attribute of a recorded object that lists the keys that we put on it.
const KEYS: &str = "tag_keys";

/// What was read, with our tags alone.
pub(super) fn read(reading: Reading, known: Known<'_>) -> Reading {
    let Reading::Present(mut object) = reading else { return reading };
    if !object.attributes.contains_key("tags") {
        return Reading::Present(object);
    }
    let declared = keys(known.desired.get("tags"));
    let put = known.recorded.and_then(|recorded| recorded.attributes.get(KEYS)).map(listed);
    let ours: BTreeSet<_> = declared.union(put.as_ref().unwrap_or(&BTreeSet::new())).cloned().collect();
    keep(&mut object, &ours);
    let put = put.unwrap_or_else(|| keys(object.attributes.get("tags")));
    object.attributes.insert(KEYS.to_owned(), json!(put));
    Reading::Present(object)
}

/// The object as it is once it carries what is `desired`.
pub(super) fn put(mut object: Object, desired: &Attributes) -> Object {
    if !object.attributes.contains_key("tags") {
        return object;
    }
    let ours = keys(desired.get("tags"));
    keep(&mut object, &ours);
    object.attributes.insert(KEYS.to_owned(), json!(ours));
    object
}

fn keep(object: &mut Object, ours: &BTreeSet<String>) {
    if let Some(Value::Object(tags)) = object.attributes.get_mut("tags") {
        tags.retain(|key, _| ours.contains(key));
    }
}

fn keys(tags: Option<&Value>) -> BTreeSet<String> {
    tags.and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

fn listed(keys: &Value) -> BTreeSet<String> {
    keys.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Takes off what is no longer wanted, then puts on what is missing or differs: a thing that is full of tags has room then.
pub(super) async fn change(cloud: &Cloud, kind: Kind, edit: Edit<'_>, context: &Context) -> Result<(), Failure> {
    if !edit.touches("tags") {
        return Ok(());
    }
    let wanted = value::tags(edit.desired);
    let mut put = wanted.clone();
    let have = value::tags(&edit.current.attributes);
    put.retain(|key, value| have.get(key) != Some(value));
    let mut take: Vec<String> = have.into_keys().filter(|key| !wanted.contains_key(key)).collect();
    take.sort();
    let thing = Thing { cloud, kind, object: edit.current };
    if !take.is_empty() {
        call(context, || thing.take(&take)).await?;
    }
    if !put.is_empty() {
        call(context, || thing.put(&put)).await?;
    }
    Ok(())
}

struct Thing<'a> {
    cloud: &'a Cloud,
    kind: Kind,
    object: &'a Object,
}

impl Thing<'_> {
    /// What services that tag by ARN know it by.
    fn arn(&self) -> Result<&str> {
        let request = |failure: Failure| Error::Request { operation: "TagResource", message: failure.to_string() };
        text(&self.object.attributes, "arn").map_err(request)
    }

    async fn take(&self, keys: &[String]) -> Result<()> {
        let (id, keys) = (&self.object.id, Some(keys.to_vec()));
        let Cloud { iam, sqs, eks, .. } = self.cloud;
        match self.kind {
            Kind::Queue => {
                let answer = sqs.untag_queue().queue_url(id).set_tag_keys(keys).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("sqs:UntagQueue", &error))
            }
            Kind::Role => {
                let answer = iam.untag_role().role_name(id).set_tag_keys(keys).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("iam:UntagRole", &error))
            }
            Kind::Policy => {
                let answer = iam.untag_policy().policy_arn(id).set_tag_keys(keys).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("iam:UntagPolicy", &error))
            }
            Kind::OidcProvider => {
                let call = iam.untag_open_id_connect_provider().open_id_connect_provider_arn(id);
                let answer = call.set_tag_keys(keys).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("iam:UntagOpenIDConnectProvider", &error))
            }
            Kind::Cluster | Kind::FargateProfile | Kind::Addon | Kind::AccessEntry => {
                let answer = eks.untag_resource().resource_arn(self.arn()?).set_tag_keys(keys).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("eks:UntagResource", &error))
            }
            Kind::LogGroup => {
                let input = json!({ "resourceArn": self.arn()?, "tagKeys": keys });
                cloudwatch_logs::request(self.cloud.session(), "logs:UntagResource", &input).await.map(drop)
            }
            Kind::EcrRepository => {
                let input = json!({ "resourceArn": self.arn()?, "tagKeys": keys });
                ecr::call(self.cloud.session(), "ecr:UntagResource", &input).await.map(drop)
            }
            Kind::Network(_) => {
                let form = self.form();
                let form = (1..)
                    .zip(keys.iter().flatten())
                    .fold(form, |form, (number, key)| form.with(&format!("Tag.{number}.Key"), key));
                ec2::request(self.cloud.session(), "ec2:DeleteTags", &form).await.map(drop)
            }
            Kind::RolePolicyAttachment | Kind::AccessPolicyAssociation => Ok(()),
        }
    }

    /// The parameters of EC2 that name it.
    fn form(&self) -> Form {
        Form::default().with("ResourceId.1", &self.object.id)
    }

    async fn put(&self, tags: &HashMap<String, String>) -> Result<()> {
        let id = &self.object.id;
        let Cloud { iam, sqs, eks, .. } = self.cloud;
        match self.kind {
            Kind::Queue => {
                let answer = sqs.tag_queue().queue_url(id).set_tags(Some(tags.clone())).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("sqs:TagQueue", &error))
            }
            Kind::Role => {
                let answer = iam.tag_role().role_name(id).set_tags(Some(iam_tags_of(tags))).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("iam:TagRole", &error))
            }
            Kind::Policy => {
                let answer = iam.tag_policy().policy_arn(id).set_tags(Some(iam_tags_of(tags))).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("iam:TagPolicy", &error))
            }
            Kind::OidcProvider => {
                let call = iam.tag_open_id_connect_provider().open_id_connect_provider_arn(id);
                let answer = call.set_tags(Some(iam_tags_of(tags))).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("iam:TagOpenIDConnectProvider", &error))
            }
            Kind::Cluster | Kind::FargateProfile | Kind::Addon | Kind::AccessEntry => {
                let answer = eks.tag_resource().resource_arn(self.arn()?).set_tags(Some(tags.clone())).send().await;
                answer.map(drop).map_err(|error| Error::from_sdk("eks:TagResource", &error))
            }
            Kind::LogGroup => {
                let input = json!({ "resourceArn": self.arn()?, "tags": tags });
                cloudwatch_logs::request(self.cloud.session(), "logs:TagResource", &input).await.map(drop)
            }
            Kind::EcrRepository => {
                let tags = tag_list(tags.clone());
                let input = json!({ "resourceArn": self.arn()?, "tags": tags });
                ecr::call(self.cloud.session(), "ecr:TagResource", &input).await.map(drop)
            }
            Kind::Network(_) => {
                let form = self.form().tags("Tag", tags);
                ec2::request(self.cloud.session(), "ec2:CreateTags", &form).await.map(drop)
            }
            Kind::RolePolicyAttachment | Kind::AccessPolicyAssociation => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(tags: Value) -> Object {
        Object::new("x", Attributes::from([("tags".to_owned(), tags)]))
    }

    fn shown(recorded: Option<&Object>, declared: Value, there: Value) -> Object {
        let desired = Attributes::from([("tags".to_owned(), declared)]);
        let Reading::Present(object) = read(Reading::Present(object(there)), Known { recorded, desired: &desired })
        else {
            panic!("it is there")
        };
        object
    }

    #[test]
    fn a_tag_of_others_is_not_shown_and_one_that_we_put_on_is_until_it_is_gone() {
        let desired = Attributes::from([("tags".to_owned(), json!({ "team": "a", "stage": "test" }))]);
        let recorded = put(object(json!({ "team": "a", "stage": "test", "cost": "others" })), &desired);
        assert_eq!(recorded.attributes["tags"], json!({ "team": "a", "stage": "test" }));
        // `stage` is declared no more.
        let there = json!({ "team": "b", "stage": "test", "cost": "others" });
        let now = shown(Some(&recorded), json!({ "team": "a" }), there);
        assert_eq!(now.attributes["tags"], json!({ "team": "b", "stage": "test" }));
        assert_eq!(now.attributes[KEYS], json!(["stage", "team"]), "it stays ours while it is there");
    }

    #[test]
    fn without_a_record_only_what_is_declared_is_ours() {
        let now = shown(None, json!({ "team": "a" }), json!({ "team": "a", "cost": "others" }));
        assert_eq!(now.attributes["tags"], json!({ "team": "a" }));
        assert_eq!(now.attributes[KEYS], json!(["team"]));
        // A state of an earlier build lists all tags and says nothing of whose they are.
        let old = object(json!({ "team": "a", "cost": "others" }));
        let now = shown(Some(&old), json!({ "team": "a" }), json!({ "team": "a", "cost": "others" }));
        assert_eq!(now.attributes["tags"], json!({ "team": "a" }));
    }
}
