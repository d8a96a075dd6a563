//! What the owners of pods are told: injected, or not and why.

use crate::core::decision::SkipReason;
use k8s_openapi::api::core::v1::ObjectReference;
use linkerd_controller::events::{Event, EventKind, Repeats};
use linkerd_k8s::OwnerReference;

/// Who the events are from.
pub const COMPONENT: &str = "linkerd-proxy-injector";

/// What happened to a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// It got a proxy.
    Injected,
    /// It did not get a proxy.
    Skipped(Vec<SkipReason>),
}

impl What {
    /// The event on the pod's owner in a namespace.
    pub fn event(&self, namespace: &str, owner: OwnerReference) -> Event {
        Event {
            kind: EventKind::Normal,
            reason: self.reason(),
            object: ObjectReference {
                api_version: Some(owner.api_version),
                kind: Some(owner.kind),
                name: Some(owner.name),
                namespace: Some(namespace.to_owned()),
                uid: Some(owner.uid),
                ..ObjectReference::default()
            },
            message: self.message(),
            repeats: Repeats::SameMessage,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Injected => "Injected",
            Self::Skipped(_) => "InjectionSkipped",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Injected => "Linkerd sidecar proxy injected".to_owned(),
            Self::Skipped(reasons) => {
                let texts: Vec<_> = reasons.iter().map(|reason| reason.text()).collect();
                format!("Linkerd sidecar proxy injection skipped: {}", texts.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_the_owner_and_gives_every_reason() {
        let owner = OwnerReference {
            kind: "Deployment".into(),
            name: "web".into(),
            uid: "a".into(),
            ..OwnerReference::default()
        };
        let event = What::Skipped(vec![SkipReason::HostNetwork, SkipReason::NotEnabled]).event("n", owner);
        assert_eq!(event.reason, "InjectionSkipped");
        assert_eq!(
            event.message,
            "Linkerd sidecar proxy injection skipped: hostNetwork is enabled, neither the namespace nor the pod have \
             the annotation \"linkerd.io/inject:enabled\""
        );
        let named = (event.object.namespace.as_deref(), event.object.name.as_deref(), event.object.uid.as_deref());
        assert_eq!(named, (Some("n"), Some("web"), Some("a")));
    }
}
