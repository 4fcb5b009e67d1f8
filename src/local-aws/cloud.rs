//! The cloud: its settings and each service's state behind its own mutex.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clock::Clock;
use local_faults::{Faults, Incidents, Kind};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::access_key::AccessKey;
use crate::cloudwatch_logs::store::Store as CloudwatchLogsStore;
use crate::control_plane;
use crate::denials::Denials;
use crate::ec2::store::Store as Ec2Store;
use crate::ecr::store::Store as EcrStore;
use crate::eks::store::Store as EksStore;
use crate::fault_profile::{self, Profile};
use crate::iam::store::Store as IamStore;
use crate::issuer::Issuers;
use crate::logs::Logs;
use crate::sqs::store::Store as SqsStore;
use crate::sts::session::Sessions;

/// What a cloud is made of.
pub(crate) struct Settings {
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) administrator: AccessKey,
    pub(crate) clock: Clock,
    pub(crate) issuers: Issuers,
    pub(crate) faults: Faults,
    pub(crate) incidents: Incidents,
    pub(crate) control_planes: mpsc::Sender<control_plane::Request>,
    pub(crate) logs: Logs,
    pub(crate) stop: CancellationToken,
}

/// The state that all calls share.
pub(crate) struct Cloud {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) clock: Clock,
    pub(crate) issuers: Issuers,
    pub(crate) control_planes: mpsc::Sender<control_plane::Request>,
    pub(crate) logs: Logs,
    pub(crate) stop: CancellationToken,
    pub(crate) faults: Profile,
    iam: Mutex<IamStore>,
    sts: Mutex<Sessions>,
    sqs: Mutex<SqsStore>,
    eks: Mutex<EksStore>,
    cloudwatch_logs: Mutex<CloudwatchLogsStore>,
    ecr: Mutex<EcrStore>,
    ec2: Mutex<Ec2Store>,
    denials: Mutex<Denials>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in one call must not take the service from all others.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cloud {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        let Settings {
            region,
            account_id: account,
            administrator,
            clock,
            issuers,
            faults,
            incidents,
            control_planes,
            logs,
            stop,
        } = settings;
        let mut iam = IamStore::new(&account, clock.now());
        if faults.has(Kind::ForeignRoles) {
            iam.add_foreign(fault_profile::foreign_roles(), clock.now());
        }
        let sts = Sessions::new(administrator, iam.administrator());
        let log_groups = CloudwatchLogsStore::new(&region, &account);
        Arc::new(Self {
            faults: Profile::new(faults, incidents, &region, clock.clone()),
            region,
            account,
            clock,
            issuers,
            control_planes,
            logs,
            stop,
            iam: Mutex::new(iam),
            sts: Mutex::new(sts),
            sqs: Mutex::default(),
            eks: Mutex::default(),
            cloudwatch_logs: Mutex::new(log_groups),
            ecr: Mutex::default(),
            ec2: Mutex::default(),
            denials: Mutex::default(),
        })
    }

    pub(crate) fn iam(&self) -> MutexGuard<'_, IamStore> {
        lock(&self.iam)
    }

    pub(crate) fn sts(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sts)
    }

    pub(crate) fn sqs(&self) -> MutexGuard<'_, SqsStore> {
        lock(&self.sqs)
    }

    pub(crate) fn eks(&self) -> MutexGuard<'_, EksStore> {
        lock(&self.eks)
    }

    pub(crate) fn cloudwatch_logs(&self) -> MutexGuard<'_, CloudwatchLogsStore> {
        lock(&self.cloudwatch_logs)
    }

    pub(crate) fn ecr(&self) -> MutexGuard<'_, EcrStore> {
        lock(&self.ecr)
    }

    pub(crate) fn ec2(&self) -> MutexGuard<'_, Ec2Store> {
        lock(&self.ec2)
    }

    pub(crate) fn denials(&self) -> MutexGuard<'_, Denials> {
        lock(&self.denials)
    }
}
