//! Fargate's sizes.
//!
//! Sizes: `docs/rules.md#fargate-sizes` (requests plus 256 MB for the
//! Kubernetes components, rounded up to the next size).

use serde_json::Value;

use crate::object::{items, text};
use crate::quantity::to_milli;

/// What a pod is given and paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capacity {
    pub(super) milli_cpu: u32,
    pub(super) mebibytes: u32,
}

impl std::fmt::Display for Capacity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (cpu, memory) = (f64::from(self.milli_cpu) / 1000.0, f64::from(self.mebibytes) / 1024.0);
        write!(f, "{cpu}vCPU {memory}GB")
    }
}

/// `(milli CPU, smallest and largest memory, step)` in MiB.
const SIZES: [(u32, u32, u32, u32); 7] = [
    (250, 512, 2048, 512),
    (500, 1024, 4096, 1024),
    (1000, 2048, 8192, 1024),
    (2000, 4096, 16384, 1024),
    (4000, 8192, 30720, 1024),
    (8000, 16384, 61440, 4096),
    (16000, 32768, 122_880, 8192),
];
/// For kubelet, kube-proxy and containerd.
const RESERVED_MEBIBYTES: u32 = 256;

/// The most ephemeral storage, in GiB.
const DISK_GIBIBYTES_MAX: u32 = 175;

/// The size for a pod's requests. What exceeds the largest size gets the largest.
pub(super) fn capacity_for(pod: &Value) -> Capacity {
    let cpu = requested(pod, "cpu");
    let memory = requested(pod, "memory").div_ceil(1000 * 1024 * 1024);
    size(u32::try_from(cpu).unwrap_or(u32::MAX), u32::try_from(memory).unwrap_or(u32::MAX))
}

/// What a pod asks for beyond the largest size.
pub(super) fn excess(pod: &Value) -> Vec<String> {
    let (milli_cpu, mebibytes) = (requested(pod, "cpu"), requested(pod, "memory").div_ceil(1000 * 1024 * 1024));
    let (cpu_max, _, mebibytes_max, _) = SIZES[SIZES.len() - 1];
    let largest = Capacity { milli_cpu: cpu_max, mebibytes: mebibytes_max };
    let amount = |thousandths: u128, unit: &str| {
        format!("{} {unit} is more than the largest size, {largest}", thousandths as f64 / 1000.0)
    };
    let cpu = (milli_cpu > u128::from(cpu_max)).then(|| amount(milli_cpu, "vCPU"));
    let memory = (mebibytes + u128::from(RESERVED_MEBIBYTES) > u128::from(mebibytes_max))
        .then(|| amount(mebibytes * 1000 / 1024, "GB with the Kubernetes components"));
    let mebibytes = requested(pod, "ephemeral-storage").div_ceil(1000 * 1024 * 1024);
    let disk = (mebibytes > u128::from(DISK_GIBIBYTES_MAX) * 1024).then(|| {
        let gibibytes = mebibytes as f64 / 1024.0;
        format!("{gibibytes} GiB of ephemeral storage is more than {DISK_GIBIBYTES_MAX}")
    });
    cpu.into_iter().chain(memory).chain(disk).collect()
}

fn size(milli_cpu: u32, mebibytes: u32) -> Capacity {
    let mebibytes = mebibytes.saturating_add(RESERVED_MEBIBYTES);
    for (cpu, smallest, largest, step) in SIZES {
        // 0.25 vCPU comes with 0.5, 1 or 2 GB, not with 1.5.
        let rounded = match mebibytes.max(smallest).next_multiple_of(step) {
            1536 if cpu == 250 => 2048,
            rounded => rounded,
        };
        if milli_cpu <= cpu && rounded <= largest {
            return Capacity { milli_cpu: cpu, mebibytes: rounded };
        }
    }
    Capacity { milli_cpu: 16000, mebibytes: 122_880 }
}

/// Thousandths of a resource: the containers' sum or the largest init container, whichever is more. Init containers that
/// stay (sidecars) count with whatever runs beside them.
fn requested(pod: &Value, resource: &str) -> u128 {
    let of = |container: &Value| {
        let request = text(container, &format!("/resources/requests/{resource}"));
        let request =
            if request.is_empty() { text(container, &format!("/resources/limits/{resource}")) } else { request };
        to_milli(request).and_then(|milli| u128::try_from(milli).ok()).unwrap_or(0)
    };
    let (mut staying, mut most) = (0, 0);
    for container in items(pod, "/spec/initContainers") {
        most = most.max(staying + of(container));
        if text(container, "/restartPolicy") == "Always" {
            staying += of(container);
        }
    }
    let sum: u128 = items(pod, "/spec/containers").iter().map(of).sum();
    most.max(staying + sum)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sized(cpu: &str, memory: &str) -> String {
        let pod = json!({"spec": {"containers": [{"resources": {"requests": {"cpu": cpu, "memory": memory}}}]}});
        capacity_for(&pod).to_string()
    }

    #[test]
    fn requests_round_up_to_fargate_sizes() {
        for (cpu, memory, size) in [
            ("250m", "256Mi", "0.25vCPU 0.5GB"),
            ("100m", "100Mi", "0.25vCPU 0.5GB"),
            ("250m", "257Mi", "0.25vCPU 1GB"),
            ("250m", "1100Mi", "0.25vCPU 2GB"),
            ("250m", "2Gi", "0.5vCPU 3GB"),
            ("1", "1Gi", "1vCPU 2GB"),
            ("3", "29Gi", "4vCPU 30GB"),
            ("16", "100Gi", "16vCPU 104GB"),
        ] {
            assert_eq!(sized(cpu, memory), size, "{cpu} {memory}");
        }
        assert_eq!(capacity_for(&json!({"spec": {"containers": [{}]}})).to_string(), "0.25vCPU 0.5GB");
    }

    #[test]
    fn what_no_size_holds_is_said() {
        let excess =
            |resources: Value| excess(&json!({"spec": {"containers": [{"resources": {"requests": resources}}]}}));
        assert_eq!(excess(json!({"cpu": "16", "memory": "119Gi", "ephemeral-storage": "175Gi"})), Vec::<String>::new());
        assert_eq!(excess(json!({"cpu": "17"})), ["17 vCPU is more than the largest size, 16vCPU 120GB"]);
        let disk = excess(json!({"ephemeral-storage": "200Gi"}));
        assert_eq!(disk, ["200 GiB of ephemeral storage is more than 175"]);
    }

    #[test]
    fn sidecars_count_with_what_runs_beside_them() {
        let one = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let mut side = one("1");
        side["restartPolicy"] = "Always".into();
        let pod = json!({"spec": {"initContainers": [one("2"), side, one("1500m")], "containers": [one("500m")]}});
        assert_eq!(requested(&pod, "cpu"), 2500);
    }
}
