//! The numbers of this process, under the names that every Go program with Prometheus' client has them.
//!
//! Source: client_golang `prometheus/process_collector.go`, whose collector controller-runtime registers in KEDA.

use std::fmt;

use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, WithCurrentSystemInfo};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads them when they are asked for.
#[derive(Debug)]
pub(super) struct ThisProcess;

struct Numbers {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_files: usize,
    files_max: f64,
    started_seconds: f64,
}

impl Numbers {
    fn read() -> ProcResult<Self> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        let booted = procfs::boot_time_secs()?;
        let files_max = match process.limits()?.max_open_files.soft_limit {
            LimitValue::Unlimited => f64::INFINITY,
            LimitValue::Value(files) => files as f64,
        };
        Ok(Self {
            cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
            resident_bytes: stat.rss_bytes().get(),
            virtual_bytes: stat.vsize,
            open_files: process.fd_count()?,
            files_max,
            started_seconds: booted as f64 + stat.starttime as f64 / ticks,
        })
    }
}

impl Collector for ThisProcess {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        // What cannot be read is absent, as in Go: a zero would be a lie.
        let Ok(numbers) = Numbers::read() else { return Ok(()) };
        let mut gauge = |name: &str, help: &str, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge("process_resident_memory_bytes", "Resident memory size in bytes", numbers.resident_bytes as f64)?;
        gauge("process_virtual_memory_bytes", "Virtual memory size in bytes", numbers.virtual_bytes as f64)?;
        gauge("process_open_fds", "Number of open file descriptors", numbers.open_files as f64)?;
        gauge("process_max_fds", "Maximum number of open file descriptors", numbers.files_max)?;
        gauge("process_start_time_seconds", "Start time since the Unix epoch in seconds", numbers.started_seconds)?;
        let cpu = ConstCounter::new(numbers.cpu_seconds);
        let help = "Total user and system CPU time spent in seconds";
        cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, cpu.metric_type())?)
    }
}
