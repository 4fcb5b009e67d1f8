//! Which volume fits a claim, and what both say once they belong together.
//!
//! Source: `pkg/volume/util/index.go` and `pkg/controller/volume/persistentvolume/pv_controller.go` of Kubernetes.

use serde_json::{Value, json};

use crate::object::{annotation, deleting, items, labels, name, namespace, strings, text, uid};
use crate::quantity::to_milli;
use crate::selector::selects;

/// Says that the binder, and not a person, chose the partner.
pub(super) const BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// Says of a claim that it has been bound once.
pub(super) const COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// The older way to name a class, of claims and volumes.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// The class of a claim or a volume; empty for none.
pub(super) fn class(object: &Value) -> &str {
    annotation(object, CLASS).unwrap_or_else(|| text(object, "/spec/storageClassName"))
}

fn mode(object: &Value) -> &str {
    match text(object, "/spec/volumeMode") {
        "" => "Filesystem",
        mode => mode,
    }
}

/// A size in thousandths of a byte.
fn size(object: &Value, pointer: &str) -> i128 {
    to_milli(text(object, pointer)).unwrap_or(0)
}

/// Whether a volume is kept for this claim, or belongs to it.
pub(super) fn is_for(volume: &Value, claim: &Value) -> bool {
    let wanted = &volume["spec"]["claimRef"];
    let same = text(wanted, "/name") == name(claim) && text(wanted, "/namespace") == namespace(claim);
    same && ["", uid(claim)].contains(&text(wanted, "/uid"))
}

/// Why a claim cannot have the volume that it names; `None` if it can.
pub(super) fn mismatch(volume: &Value, claim: &Value) -> Option<&'static str> {
    if size(volume, "/spec/capacity/storage") < size(claim, "/spec/resources/requests/storage") {
        return Some("requested PV is too small");
    }
    if class(volume) != class(claim) {
        return Some("storageClassName does not match");
    }
    if mode(volume) != mode(claim) {
        return Some("incompatible volumeMode");
    }
    let offered = items(volume, "/spec/accessModes");
    items(claim, "/spec/accessModes").iter().any(|mode| !offered.contains(mode)).then_some("incompatible accessMode")
}

/// Of all volumes the one for an unbound claim: one that is kept for it, or the smallest free one that fits.
/// `kept_only` leaves the free ones out.
pub(super) fn choose<'a>(
    volumes: impl Iterator<Item = &'a Value> + Clone,
    claim: &Value,
    kept_only: bool,
) -> Option<&'a Value> {
    let fits = |volume: &&Value| !deleting(volume) && mismatch(volume, claim).is_none();
    let kept = volumes.clone().filter(fits).find(|volume| is_for(volume, claim));
    if kept.is_some() || kept_only {
        return kept;
    }
    let selector = claim.pointer("/spec/selector");
    let free = volumes.filter(fits).filter(|volume| {
        let available = text(volume, "/status/phase") == "Available" && volume["spec"]["claimRef"].is_null();
        available && (selector.is_none() || selects(selector, &labels(volume)))
    });
    free.min_by_key(|volume| (size(volume, "/spec/capacity/storage"), name(volume)))
}

/// The volume with its claim in it.
pub(super) fn with_claim(volume: &Value, claim: &Value) -> Value {
    let mut bound = volume.clone();
    if volume["spec"]["claimRef"].is_null() {
        bound["metadata"]["annotations"][BY_CONTROLLER] = "yes".into();
    }
    bound["spec"]["claimRef"] = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace(claim), "name": name(claim),
        "uid": uid(claim), "resourceVersion": text(claim, "/metadata/resourceVersion"),
    });
    bound
}

/// The volume as it is without the claim that the binder chose for it.
pub(super) fn without_claim(volume: &Value) -> Value {
    let mut free = volume.clone();
    if let Some(notes) = free["metadata"]["annotations"].as_object_mut() {
        notes.remove(BY_CONTROLLER);
    }
    if let Some(spec) = free["spec"].as_object_mut() {
        spec.remove("claimRef");
    }
    free
}

/// The claim with its volume in it.
pub(super) fn with_volume(claim: &Value, volume: &Value) -> Value {
    let mut bound = claim.clone();
    if text(claim, "/spec/volumeName").is_empty() {
        bound["spec"]["volumeName"] = name(volume).into();
        bound["metadata"]["annotations"][BY_CONTROLLER] = "yes".into();
    }
    bound["metadata"]["annotations"][COMPLETED] = "yes".into();
    bound
}

/// The status of a bound claim: it has what the volume has.
pub(super) fn bound_status(claim: &Value, volume: &Value) -> Value {
    let mut status = claim.get("status").filter(|status| status.is_object()).cloned().unwrap_or_else(|| json!({}));
    let first = text(&status, "/phase") != "Bound";
    status["phase"] = "Bound".into();
    status["accessModes"] = volume["spec"]["accessModes"].clone();
    if first || status["capacity"].is_null() {
        let capacity = strings(volume, "/spec/capacity");
        status["capacity"] = json!({"storage": capacity.get("storage")});
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(named: &str, size: &str, class: &str) -> Value {
        json!({"metadata": {"name": named}, "status": {"phase": "Available"}, "spec": {
            "capacity": {"storage": size}, "storageClassName": class, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"]}})
    }

    fn claim(size: &str, class: &str) -> Value {
        json!({"metadata": {"name": "c", "namespace": "n", "uid": "u"}, "spec": {
            "resources": {"requests": {"storage": size}}, "storageClassName": class, "accessModes": ["ReadWriteOnce"]}})
    }

    fn chosen(volumes: &[Value], claim: &Value) -> Option<String> {
        choose(volumes.iter(), claim, false).map(|volume| name(volume).to_owned())
    }

    #[test]
    fn the_smallest_free_volume_that_fits_is_chosen() {
        let mut taken = volume("taken", "2Gi", "");
        taken["spec"]["claimRef"] = json!({"namespace": "n", "name": "other", "uid": "x"});
        let mut used = volume("used", "2Gi", "");
        used["status"]["phase"] = "Released".into();
        let volumes = [volume("big", "10Gi", ""), volume("small", "1Gi", ""), volume("middle", "3Gi", ""), taken, used];
        assert_eq!(chosen(&volumes, &claim("2Gi", "")).as_deref(), Some("middle"));
        assert_eq!(chosen(&volumes, &claim("1Gi", "")).as_deref(), Some("small"));
        assert_eq!(chosen(&volumes, &claim("11Gi", "")), None);
        assert_eq!(chosen(&volumes, &claim("1Gi", "efs")), None);
        let mut many = claim("1Gi", "");
        many["spec"]["accessModes"] = json!(["ReadWriteMany"]);
        assert_eq!(chosen(&volumes, &many), None);
        let mut raw = claim("1Gi", "");
        raw["spec"]["volumeMode"] = "Block".into();
        assert_eq!(chosen(&volumes, &raw), None);
        let mut labelled = claim("1Gi", "");
        labelled["spec"]["selector"] = json!({"matchLabels": {"tier": "gold"}});
        assert_eq!(chosen(&volumes, &labelled), None);
    }

    #[test]
    fn a_volume_that_is_kept_for_the_claim_goes_before_a_smaller_one() {
        let mut kept = volume("kept", "10Gi", "");
        kept["spec"]["claimRef"] = json!({"namespace": "n", "name": "c"});
        let volumes = [volume("small", "1Gi", ""), kept.clone()];
        assert_eq!(chosen(&volumes, &claim("1Gi", "")).as_deref(), Some("kept"));
        assert_eq!(choose(volumes[..1].iter(), &claim("1Gi", ""), true), None);
        // Of an earlier claim of the name it is not.
        kept["spec"]["claimRef"]["uid"] = "before".into();
        assert!(!is_for(&kept, &claim("1Gi", "")));
    }

    #[test]
    fn who_chose_a_volume_is_noted() {
        let plain = volume("v", "1Gi", "");
        let chosen = with_claim(&plain, &claim("1Gi", ""));
        assert_eq!(annotation(&chosen, BY_CONTROLLER), Some("yes"));
        assert!(without_claim(&chosen)["spec"]["claimRef"].is_null());
        let mut kept = plain;
        kept["spec"]["claimRef"] = json!({"namespace": "n", "name": "c"});
        let bound = with_claim(&kept, &claim("1Gi", ""));
        assert_eq!((annotation(&bound, BY_CONTROLLER), text(&bound, "/spec/claimRef/uid")), (None, "u"));
    }
}
