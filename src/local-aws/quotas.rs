//! Service Quotas: the values that the local cloud has, which are AWS's defaults, and those that a fault lowers.
//!
//! Codes and defaults: EKS Best Practices Guide, "Known limits and service quotas"; "AWS Fargate endpoints and quotas".

use local_faults::Kind;
use serde_json::{Value, json};

use crate::authorization::Access;
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::request::{Request, Service};
use crate::{coverage, intake};

struct Quota {
    service: &'static str,
    service_name: &'static str,
    code: &'static str,
    name: &'static str,
    value: u32,
    /// With the fault `quotas-low`.
    lowered: u32,
    global: bool,
}

const QUOTAS: [Quota; 6] = [
    Quota {
        service: "vpc",
        service_name: "Amazon Virtual Private Cloud (Amazon VPC)",
        code: "L-F678F1CE",
        name: "VPCs per Region",
        value: 5,
        lowered: 1,
        global: false,
    },
    Quota {
        service: "ec2",
        service_name: "Amazon Elastic Compute Cloud (Amazon EC2)",
        code: "L-0263D0A3",
        name: "EC2-VPC Elastic IPs",
        value: 5,
        lowered: 0,
        global: false,
    },
    Quota {
        service: "eks",
        service_name: "Amazon Elastic Kubernetes Service (Amazon EKS)",
        code: "L-1194D53C",
        name: "Clusters",
        value: 100,
        lowered: 0,
        global: false,
    },
    Quota {
        service: "fargate",
        service_name: "AWS Fargate",
        code: "L-3032A538",
        name: "Fargate On-Demand vCPU resource count",
        value: 6,
        lowered: 1,
        global: false,
    },
    Quota {
        service: "iam",
        service_name: "AWS Identity and Access Management (IAM)",
        code: "L-858F3967",
        name: "OpenId connect providers per account",
        value: 100,
        lowered: 0,
        global: true,
    },
    Quota {
        service: "iam",
        service_name: "AWS Identity and Access Management (IAM)",
        code: "L-FE177D64",
        name: "Roles per account",
        value: 1000,
        lowered: 1000,
        global: true,
    },
];

/// Performs `action`.
pub(crate) fn call(cloud: &Cloud, call: &Call, action: &str, request: &Request) -> Result<Value, Fault> {
    if let Some(refused) = coverage::not_offered(Service::Quotas, action) {
        return Err(refused);
    }
    let input: Value = serde_json::from_slice(&request.body)
        .map_err(|_| Fault::sender("MalformedInput", "The request body is no JSON."))?;
    intake::check(Service::Quotas, action, &input)?;
    cloud.authorize(call, Access::new(&format!("servicequotas:{action}"), "*"))?;
    let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
    let found = QUOTAS.iter().find(|quota| quota.service == text("ServiceCode") && quota.code == text("QuotaCode"));
    let quota = found.ok_or_else(|| {
        Fault::sender(
            "NoSuchResourceException",
            "The request failed because the specified service quota does not exist.",
        )
    })?;
    let is_low = cloud.faults.faults().has(Kind::QuotasLow);
    match action {
        "GetServiceQuota" => {
            Ok(json!({ "Quota": quota.shown(cloud, if is_low { quota.lowered } else { quota.value }) }))
        }
        "GetAWSDefaultServiceQuota" => Ok(json!({ "Quota": quota.shown(cloud, quota.value) })),
        other => Err(Fault::sender("InvalidAction", format!("The action {other} is not valid for this endpoint."))),
    }
}

impl Quota {
    fn shown(&self, cloud: &Cloud, value: u32) -> Value {
        let Self { service, service_name, code, name, global, .. } = self;
        let region = if *global { "" } else { cloud.region.as_str() };
        json!({
            "ServiceCode": service, "ServiceName": service_name, "QuotaCode": code, "QuotaName": name,
            "QuotaArn": format!("arn:aws:servicequotas:{region}:{}:{service}/{code}", cloud.account),
            "Value": f64::from(value), "Unit": "None", "Adjustable": true, "GlobalQuota": global,
            "QuotaAppliedAtLevel": "ACCOUNT",
        })
    }
}
