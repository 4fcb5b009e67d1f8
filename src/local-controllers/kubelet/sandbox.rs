//! The description of a container by which the launcher builds its walls, and where its files lie on the machine.

use std::path::{Component, Path, PathBuf};

use local_container::{Mount, Spec, visible};
use serde_json::Value;

use super::mounts::volume_dir;
use super::pod::Pod;
use super::user::User;
use crate::error::{Error, Result};
use crate::object::{flag, items, text};

/// Volumes that a container only reads, whatever its mount says (the kubelet mounts them so).
const READ_ONLY_VOLUMES: [&str; 4] = ["configMap", "downwardAPI", "projected", "secret"];
/// `terminationMessagePath` where a container does not say it.
const TERMINATION_LOG: &str = "/dev/termination-log";
/// What every `/etc/hosts` begins with.
const HOSTS: &str = "# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
";
/// A host name may not be longer.
const HOSTNAME_MAX: usize = 63;

/// Where one run of a container has its files on the machine.
#[derive(Debug, Clone)]
pub(super) struct Sandbox {
    /// The container's description.
    pub(super) file: PathBuf,
    /// What becomes its `/`; where it has none, its home and working folder.
    pub(super) root: PathBuf,
    /// What it says about its end.
    pub(super) last_words: PathBuf,
}

impl Sandbox {
    /// Makes them anew for run `number` of a container; what an earlier run left in its file system goes.
    pub(super) fn make(pod: &Pod, container: &Value, number: u32) -> Result<Self> {
        let folder = pod.dir.join(text(container, "/name"));
        let made = Self {
            file: folder.join("container.json"),
            root: folder.join(format!("root.{number}")),
            last_words: folder.join("termination-log"),
        };
        let earlier = number.checked_sub(1).map(|number| folder.join(format!("root.{number}")));
        for old in earlier.iter().chain([&made.root]) {
            local_container::remove(old).map_err(Error::file(old))?;
        }
        std::fs::create_dir_all(&made.root).map_err(Error::file(&made.root))?;
        std::fs::write(&made.last_words, "").map_err(Error::file(&made.last_words))?;
        Ok(made)
    }

    /// Writes the description. `program` is what stands for the image, `path` where programs are looked for.
    pub(super) fn describe(&self, pod: &Pod, object: &Value, container: &Value, given: &Given<'_>) -> Result<()> {
        let options = &pod.node.options;
        let hidden: Vec<&Path> = options.hidden.iter().map(PathBuf::as_path).collect();
        let mut seen = Vec::new();
        for program in given.programs {
            seen.extend(visible(program, given.path, &hidden));
        }
        seen.extend(given.kubeconfig.map(Path::to_owned));
        let security = |pointer: &str| flag(container, &format!("/securityContext/{pointer}"));
        let without = items(container, "/securityContext/capabilities/drop").iter().filter_map(Value::as_str);
        let spec = Spec {
            walls: options.walls,
            root: self.root.clone(),
            visible: seen,
            own: vec![self.root.clone(), pod.dir.join("tmp"), self.last_words.clone()],
            mounts: self.mounts(pod, object, container, given.variables),
            folder: given.folder.clone(),
            home: PathBuf::from(given.user.home()),
            hostname: hostname(object),
            hosts: hosts(object),
            read_only_root: security("readOnlyRootFilesystem"),
            user: given.user.id,
            group: given.user.group,
            without: without.map(|name| name.trim_start_matches("CAP_").to_owned()).collect(),
        };
        let text = serde_json::to_string_pretty(&spec).map_err(|error| Error::Invalid(error.to_string()))?;
        std::fs::write(&self.file, text).map_err(Error::file(&self.file))
    }

    /// Volumes and the file for last words, outer ones first.
    fn mounts(&self, pod: &Pod, object: &Value, container: &Value, variables: &[(String, String)]) -> Vec<Mount> {
        let volumes = items(container, "/volumeMounts").iter().map(|one| {
            let name = text(one, "/name");
            let volume = items(object, "/spec/volumes").iter().find(|volume| text(volume, "/name") == name);
            let is_read = |volume: &Value| READ_ONLY_VOLUMES.iter().any(|kind| volume.get(kind).is_some());
            Mount {
                source: volume_dir(&pod.dir, name),
                sub_path: sub_path(one, variables),
                target: absolute(text(one, "/mountPath")),
                read_only: flag(one, "/readOnly")
                    || volume.is_some_and(|volume| is_read(volume) || flag(volume, "/persistentVolumeClaim/readOnly")),
            }
        });
        let path = text(container, "/terminationMessagePath");
        let last_words = Mount {
            source: self.last_words.clone(),
            sub_path: PathBuf::new(),
            target: absolute(if path.is_empty() { TERMINATION_LOG } else { path }),
            read_only: false,
        };
        let mut mounts: Vec<Mount> = volumes.chain([last_words]).collect();
        mounts.sort_by_key(|mount| mount.target.components().count());
        mounts
    }
}

/// What the description takes from elsewhere.
pub(super) struct Given<'a> {
    /// The programs that stand for the image.
    pub(super) programs: &'a [PathBuf],
    /// Where programs are looked for.
    pub(super) path: &'a str,
    /// The container's variables.
    pub(super) variables: &'a [(String, String)],
    /// The file that stands in for in-cluster configuration.
    pub(super) kubeconfig: Option<&'a Path>,
    pub(super) folder: PathBuf,
    pub(super) user: User,
}

/// `subPath`, or `subPathExpr` with the container's variables.
pub(super) fn sub_path(mount: &Value, variables: &[(String, String)]) -> PathBuf {
    let written = match text(mount, "/subPathExpr") {
        "" => text(mount, "/subPath").to_owned(),
        expression => super::expansion::expand(expression, |name| super::environment::lookup(variables, name)),
    };
    Path::new(&written).components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// A path of the container's as one from its `/`.
pub(super) fn absolute(path: &str) -> PathBuf {
    let parts = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_)));
    std::iter::once(Component::RootDir).chain(parts).collect()
}

/// `hostname`, or the pod's name as far as a host name may be long.
pub(super) fn hostname(pod: &Value) -> String {
    let name = match text(pod, "/spec/hostname") {
        "" => crate::object::name(pod),
        name => name,
    };
    name.chars().take(HOSTNAME_MAX).collect::<String>().trim_end_matches(['-', '.']).to_owned()
}

/// `/etc/hosts` as the kubelet writes it.
fn hosts(pod: &Value) -> String {
    let hostname = hostname(pod);
    let names = match text(pod, "/spec/subdomain") {
        "" => hostname,
        subdomain => {
            format!("{hostname}.{subdomain}.{}.svc.cluster.local\t{hostname}", crate::object::namespace(pod))
        }
    };
    let own = format!("{}\t{names}\n", text(pod, "/status/podIP"));
    let aliases = items(pod, "/spec/hostAliases");
    let aliases = aliases.iter().map(|alias| {
        let names = items(alias, "/hostnames").iter().filter_map(Value::as_str).collect::<Vec<_>>();
        format!("{}\t{}\n", text(alias, "/ip"), names.join("\t"))
    });
    let aliases: String = aliases.collect();
    let title = if aliases.is_empty() { "" } else { "\n# Entries added by HostAliases.\n" };
    [HOSTS, &own, title, &aliases].concat()
}

/// Where a container works: `workingDir`, or its root.
pub(super) fn folder(container: &Value) -> PathBuf {
    absolute(text(container, "/workingDir"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_of_a_container_start_at_its_root() {
        assert_eq!(absolute("/a/../b/"), Path::new("/a/b"));
        assert_eq!(absolute("relative"), Path::new("/relative"));
        let variables = [("POD".to_owned(), "p-0".to_owned())];
        assert_eq!(sub_path(&json!({"subPathExpr": "logs/$(POD)"}), &variables), Path::new("logs/p-0"));
        assert_eq!(sub_path(&json!({"subPath": "../../etc"}), &[]), Path::new("etc"));
    }

    #[test]
    fn hosts_name_the_pod_and_its_aliases() {
        let pod = json!({"metadata": {"name": "p", "namespace": "n"}, "status": {"podIP": "127.9.0.2"},
            "spec": {"hostname": "web", "subdomain": "sub", "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a", "b"]}]}});
        let hosts = hosts(&pod);
        assert!(hosts.contains("127.9.0.2\tweb.sub.n.svc.cluster.local\tweb\n"), "{hosts}");
        assert!(hosts.ends_with("# Entries added by HostAliases.\n10.0.0.1\ta\tb\n"), "{hosts}");
    }
}
