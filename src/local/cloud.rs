//! The local cloud's process: listens, writes its files, runs AWS and the control planes until it is stopped.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clock::Clock;
use local_server::Lines;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::authority::Authority;
use crate::files::{Folder, Record};
use crate::planes::Planes;
use crate::{Error, Result, process, walls};

/// Requests for control planes that may wait; there are few clusters and each change waits for its answer.
const REQUESTS_WAITING_MAX: usize = 16;

/// What [`run`] needs.
#[derive(Debug)]
pub struct Options {
    /// Where its files lie.
    pub folder: Folder,
    /// Where the AWS endpoint listens; port 0 for a free one.
    pub address: SocketAddr,
    /// Certificates (PEM) by which issuers are trusted, besides those of its own clusters.
    pub trusted: Option<String>,
    /// The region that it stands for.
    pub region: String,
    /// The account that it stands for, twelve digits.
    pub account_id: String,
    /// The time of all that runs in it.
    pub clock: Clock,
    /// What is late, busy or refused in it, as on AWS.
    pub faults: local_faults::Faults,
    /// The program that containers of the image `sluice` run, and that launches all others.
    pub program: PathBuf,
    /// What is written down.
    pub logs: LogFiles,
}

/// The files of what is written down; without one it is not.
#[derive(Debug, Default)]
pub struct LogFiles {
    /// To which the API servers append their audit log.
    pub audit: Option<PathBuf>,
    /// To which the AWS endpoint appends a record of each call.
    pub trail: Option<PathBuf>,
    /// To which it appends each request and answer whole.
    pub wire: Option<PathBuf>,
}

/// Runs the local cloud until `stop`, then ends every container and removes the record.
///
/// # Errors
///
/// [`Error::Running`] or [`Error::Starting`] if another local cloud has the folder. [`Error::Record`] if its record
/// cannot be understood. [`Error::File`] if a file cannot be read or written. [`Error::Walls`] if the walls that the
/// environment asks for cannot be had. [`Error::Address`] if the address cannot be listened on. [`Error::Certificate`]
/// if no authority can be made. [`Error::Aws`] if the AWS endpoint cannot start.
pub async fn run(options: Options, stop: CancellationToken) -> Result<()> {
    let Options { folder, address, trusted, region, account_id, clock, faults, program, logs } = options;
    if let Some(record) = folder.load_record()?
        && process::is_alive(&record)
    {
        return Err(Error::Running { pid: record.pid, endpoint: record.aws_endpoint });
    }
    folder.create()?;
    // The record is read and written by two steps; this keeps a second process out between them.
    let _alone = folder.lock()?;
    let pod_walls = walls::choose(&program, &folder.pods())?;
    let (audit, logs) = all_opened(logs)?;
    let (listener, address) = listening(address).map_err(|source| Error::Address { address, source })?;
    let aws_endpoint = format!("http://{address}");

    let authority = Authority::new()?;
    let administrator = access_key();
    folder.write_ca(&authority.pem())?;
    folder.write_access(&administrator, &region, &aws_endpoint)?;

    let (control_planes, requests) = mpsc::channel(REQUESTS_WAITING_MAX);
    let trust_roots_pem = authority.pem() + trusted.as_deref().unwrap_or_default();
    let incidents = local_faults::Incidents::new(clock.clone());
    let planes = Planes {
        authority,
        sts_endpoint: aws_endpoint.clone(),
        region: region.clone(),
        clock: clock.clone(),
        faults: faults.clone(),
        incidents: incidents.clone(),
        pods_dir: folder.pods(),
        images: folder.images(),
        program,
        walls: pod_walls.kind,
        audit,
    };
    let aws = local_aws::serve(
        local_aws::Options {
            listener,
            region: region.clone(),
            account_id: account_id.clone(),
            administrator,
            clock: clock.clone(),
            trust_roots_pem,
            faults: faults.clone(),
            incidents,
            control_planes,
            logs,
        },
        stop.clone(),
    );
    folder.write_record(&Record {
        version: 1,
        pid: nix::unistd::getpid().as_raw(),
        aws_endpoint,
        region,
        account_id,
        time_scale: clock.scale(),
        faults: (!faults.is_empty()).then(|| faults.to_string()),
        pod_walls: Some(pod_walls),
    })?;
    tracing::info!(%address, "the local cloud is up");
    let (served, ()) = tokio::join!(
        async {
            let served = aws.await;
            stop.cancel();
            served
        },
        planes.run(requests, stop.clone())
    );
    folder.remove_record()?;
    Ok(served?)
}

fn listening(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn all_opened(LogFiles { audit, trail, wire }: LogFiles) -> Result<(Option<Lines>, local_aws::Logs)> {
    Ok((opened(audit)?, local_aws::Logs { trail: opened(trail)?, wire: opened(wire)? }))
}

/// The log at a path.
fn opened(path: Option<PathBuf>) -> Result<Option<Lines>> {
    let open = |path: PathBuf| Lines::open(&path).map_err(|source| Error::File { action: "open", path, source });
    path.map(open).transpose()
}

/// A fresh access key from the system's random source.
fn access_key() -> local_aws::AccessKey {
    let random = || uuid::Uuid::new_v4().into_bytes();
    let id: String = hex::encode_upper(random()).chars().take(16).collect();
    let secret: String = STANDARD.encode([random(), random()].concat()).chars().take(40).collect();
    local_aws::AccessKey { id: format!("AKIA{id}"), secret }
}
