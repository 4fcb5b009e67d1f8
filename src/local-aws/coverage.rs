//! What the local cloud offers: each served operation with the members of its input that are read, and those that are refused by
//! name. A test holds the tables against the service models, so that no member is ignored in silence.

mod cloudwatch_logs;
mod ec2;
mod ecr;
mod eks;
mod iam;
mod quotas;
mod served;
mod sqs;
mod sts;
mod tagging;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::model;
use crate::request::Service;
use served::Served;

/// All services with the names that people know them by.
pub(crate) const SERVICES: [(Service, &str); 9] = [
    (Service::Sqs, "SQS"),
    (Service::Sts, "STS"),
    (Service::Iam, "IAM"),
    (Service::Eks, "EKS"),
    (Service::Ecr, "ECR"),
    (Service::Tagging, "Resource Groups Tagging API"),
    (Service::CloudwatchLogs, "CloudWatch Logs"),
    (Service::Ec2, "EC2"),
    (Service::Quotas, "Service Quotas"),
];

/// The served operations of a service.
pub(crate) fn of(service: Service) -> &'static [Served] {
    match service {
        Service::Sqs => sqs::SQS,
        Service::Sts => sts::STS,
        Service::Iam => iam::IAM,
        Service::Eks => eks::EKS,
        Service::Ecr => ecr::ECR,
        Service::Tagging => tagging::TAGGING,
        Service::CloudwatchLogs => cloudwatch_logs::CLOUDWATCH_LOGS,
        Service::Ec2 => ec2::EC2,
        Service::Quotas => quotas::QUOTAS,
    }
}

fn name(service: Service) -> &'static str {
    SERVICES.iter().find(|(one, _)| *one == service).map_or("this service", |(_, name)| name)
}

/// The refusal of an operation that the service has on AWS and not here; `None` for one that it has nowhere.
pub(crate) fn not_offered(service: Service, operation: &str) -> Option<Fault> {
    let known = model::of(service).operations.contains_key(operation);
    let offered = of(service).iter().any(|one| one.operation == operation);
    (known && !offered).then(|| {
        let message = format!(
            "The local cloud does not offer {operation} of {}; GET /_sluice/operations of this endpoint lists what it offers.",
            name(service)
        );
        Fault::sender("InvalidAction", message)
    })
}

/// The services and their operations, each with the parameters that are read and those that are refused.
pub(crate) fn page() -> Value {
    let services = SERVICES.iter().map(|(service, name)| {
        let operations = of(*service).iter().map(|one| {
            let unread = |moot: bool| -> Value {
                let some = one.refuses.iter().filter(|refusal| refusal.moot == moot);
                Value::Object(some.map(|refusal| (refusal.member.to_owned(), json!(refusal.why))).collect())
            };
            let reads: Vec<_> = one.reads.split(' ').filter(|member| !member.is_empty()).collect();
            let page = json!({ "reads": reads, "refuses": unread(false), "moot": unread(true) });
            (one.operation.to_owned(), page)
        });
        ((*name).to_owned(), Value::Object(operations.collect()))
    });
    json!({ "services": services.collect::<serde_json::Map<_, _>>() })
}
