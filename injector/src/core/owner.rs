//! The workload that a pod belongs to, by its owner references.

use linkerd_k8s::OwnerReference;

/// Kinds of owners that have a label of their own on pods.
const LABELLED_KINDS: &[&str] =
    &["deployment", "replicationcontroller", "replicaset", "job", "daemonset", "statefulset", "cronjob"];

/// A pod's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Kind in lower case; `pod` for a pod that belongs to nothing else.
    pub kind: String,
    /// Name, empty for a pod that has none yet.
    pub name: String,
}

/// What is known from a pod alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstStep {
    /// The owner.
    Known(Owner),
    /// An object that may itself belong to the owner: look it up, then call [`second_step`].
    Lookup(Intermediate),
}

/// An object between a pod and its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intermediate {
    /// Its kind.
    pub kind: IntermediateKind,
    /// Its name.
    pub name: String,
    /// Its UID, empty in manifests.
    pub uid: String,
}

/// Kinds between a pod and its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntermediateKind {
    /// Of a Deployment, mostly.
    ReplicaSet,
    /// Of a CronJob, mostly.
    Job,
}

impl Owner {
    /// A pod that belongs to nothing else.
    pub fn pod(name: impl Into<String>) -> Self {
        Self { kind: "pod".into(), name: name.into() }
    }

    /// The kind as metrics name it: empty for kinds that are not built in.
    pub fn known_kind(&self) -> &'static str {
        let own = ["pod", "service"];
        own.iter().chain(LABELLED_KINDS).find(|kind| **kind == self.kind).copied().unwrap_or_default()
    }

    /// Key and value of the label that names the owner, if the kind has one and the name fits.
    ///
    /// # Errors
    /// The name is no label value, and the API server would reject the pod with it.
    pub fn label(&self) -> Result<Option<(String, &str)>, UnfitName> {
        if !LABELLED_KINDS.contains(&self.kind.as_str()) {
            return Ok(None);
        }
        if !is_label_value(&self.name) {
            return Err(UnfitName { kind: self.kind.clone() });
        }
        let key = format!("{}{}", linkerd_k8s::names::label::PROXY_OWNER_PREFIX, self.kind);
        Ok(Some((key, &self.name)))
    }
}

/// An owner's name that is no label value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of its {kind} does not fit a label (63 characters), so the pod gets none that names its owner")]
pub struct UnfitName {
    kind: String,
}

/// Finds the owner of a pod as far as the pod itself tells.
pub fn first_step(pod_name: &str, owners: &[OwnerReference]) -> FirstStep {
    let [owner] = owners else { return FirstStep::Known(Owner::pod(pod_name)) };
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = match (group, owner.kind.as_str()) {
        ("apps", "ReplicaSet") => IntermediateKind::ReplicaSet,
        ("batch", "Job") => IntermediateKind::Job,
        _ => return FirstStep::Known(named_by(owner)),
    };
    FirstStep::Lookup(Intermediate { kind, name: owner.name.clone(), uid: owner.uid.clone() })
}

/// Finds the owner behind an intermediate object, whose owners are `None` when it was not found.
pub fn second_step(found: &Intermediate, owners: Option<&[OwnerReference]>) -> Owner {
    let itself = || Owner {
        kind: match found.kind {
            IntermediateKind::ReplicaSet => "replicaset".into(),
            IntermediateKind::Job => "job".into(),
        },
        name: found.name.clone(),
    };
    let Some([owner]) = owners else { return itself() };
    match found.kind {
        // A ReplicaSet of a kind that is not built in, such as a Rollout, stands for itself.
        IntermediateKind::ReplicaSet
            if !matches!(owner.kind.as_str(), "Job" | "StatefulSet" | "DaemonSet" | "Deployment") =>
        {
            itself()
        }
        IntermediateKind::ReplicaSet | IntermediateKind::Job => named_by(owner),
    }
}

fn named_by(owner: &OwnerReference) -> Owner {
    Owner { kind: owner.kind.to_lowercase(), name: owner.name.clone() }
}

/// Whether a text is a non-empty label value of the Kubernetes API.
fn is_label_value(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    text.len() <= 63
        && text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.chars().all(|c| alphanumeric(c) || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(api_version: &str, kind: &str, name: &str) -> OwnerReference {
        OwnerReference { api_version: api_version.into(), kind: kind.into(), name: name.into(), ..Default::default() }
    }

    fn owner(kind: &str, name: &str) -> Owner {
        Owner { kind: kind.into(), name: name.into() }
    }

    fn resolve(pod_owner: OwnerReference, next: Option<&[OwnerReference]>) -> Owner {
        match first_step("p", &[pod_owner]) {
            FirstStep::Known(owner) => owner,
            FirstStep::Lookup(found) => second_step(&found, next),
        }
    }

    // Acceptance cases 22, 23 and 24.
    #[test]
    fn a_replica_set_leads_to_its_deployment_and_a_job_to_its_cron_job() {
        let rs = || reference("apps/v1", "ReplicaSet", "web-1");
        let job = || reference("batch/v1", "Job", "j-1");
        let deployment = [reference("apps/v1", "Deployment", "web")];
        assert_eq!(resolve(rs(), Some(&deployment)), owner("deployment", "web"));
        assert_eq!(resolve(rs(), Some(&[reference("argoproj.io/v1", "Rollout", "r")])), owner("replicaset", "web-1"));
        assert_eq!(resolve(rs(), Some(&[])), owner("replicaset", "web-1"));
        assert_eq!(resolve(rs(), None), owner("replicaset", "web-1"));
        assert_eq!(resolve(job(), Some(&[reference("batch/v1", "CronJob", "c")])), owner("cronjob", "c"));
        assert_eq!(resolve(job(), None), owner("job", "j-1"));
    }

    // Acceptance case 24.
    #[test]
    fn a_pod_with_no_owner_or_several_stands_for_itself() {
        assert_eq!(first_step("p", &[]), FirstStep::Known(owner("pod", "p")));
        let two = [reference("apps/v1", "ReplicaSet", "a"), reference("apps/v1", "ReplicaSet", "b")];
        assert_eq!(first_step("p", &two), FirstStep::Known(owner("pod", "p")));
    }

    #[test]
    fn only_built_in_replica_sets_and_jobs_are_looked_up() {
        let volcano = reference("batch.volcano.sh/v1alpha1", "Job", "v");
        assert_eq!(first_step("p", &[volcano]), FirstStep::Known(owner("job", "v")));
        let rollout = FirstStep::Known(owner("daemonset", "d"));
        assert_eq!(first_step("p", &[reference("apps/v1", "DaemonSet", "d")]), rollout);
    }

    // Acceptance case 82.
    #[test]
    fn a_name_that_does_not_fit_a_label_gives_none() {
        assert_eq!(owner("deployment", "web").label().unwrap().unwrap().0, "linkerd.io/proxy-deployment");
        assert_eq!(owner("cronjob", "web").label().unwrap().unwrap().0, "linkerd.io/proxy-cronjob");
        assert_eq!(owner("pod", "web").label(), Ok(None));
        assert_eq!(owner("rollout", "web").label(), Ok(None));
        assert!(owner("daemonset", &"a".repeat(70)).label().is_err());
    }
}
