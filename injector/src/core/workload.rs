//! Kinds of objects that have a pod template, and where it is.

/// A kind with a pod template; a Pod is its own template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A pod.
    Pod,
    /// `apps` Deployment.
    Deployment,
    /// Core ReplicationController.
    ReplicationController,
    /// `apps` ReplicaSet.
    ReplicaSet,
    /// `batch` Job.
    Job,
    /// `apps` DaemonSet.
    DaemonSet,
    /// `apps` StatefulSet.
    StatefulSet,
    /// `batch` CronJob.
    CronJob,
}

impl Workload {
    /// Finds a kind by name, in any case.
    pub fn from_kind(kind: &str) -> Option<Self> {
        Some(match kind.to_ascii_lowercase().as_str() {
            "pod" => Self::Pod,
            "deployment" => Self::Deployment,
            "replicationcontroller" => Self::ReplicationController,
            "replicaset" => Self::ReplicaSet,
            "job" => Self::Job,
            "daemonset" => Self::DaemonSet,
            "statefulset" => Self::StatefulSet,
            "cronjob" => Self::CronJob,
            _ => return None,
        })
    }

    /// Lower-case name of the kind, as in owner labels and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Deployment => "deployment",
            Self::ReplicationController => "replicationcontroller",
            Self::ReplicaSet => "replicaset",
            Self::Job => "job",
            Self::DaemonSet => "daemonset",
            Self::StatefulSet => "statefulset",
            Self::CronJob => "cronjob",
        }
    }

    /// The template's place as a JSON pointer; empty for a Pod.
    pub fn template_pointer(self) -> &'static str {
        match self {
            Self::Pod => "",
            Self::CronJob => "/spec/jobTemplate/spec/template",
            Self::Deployment
            | Self::ReplicationController
            | Self::ReplicaSet
            | Self::Job
            | Self::DaemonSet
            | Self::StatefulSet => "/spec/template",
        }
    }
}
