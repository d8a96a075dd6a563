//! What is told of the issuer and of certificates, as Kubernetes events.
//!
//! Issuance never waits for them. Certificates are told per service account: a thousand pods of one account
//! make one event.

use crate::core::token::ServiceAccount;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use linkerd_controller::events::{self, Event, EventKind, Repeats};

/// Who the events are from, and the Deployment that those of the issuer are about.
pub const COMPONENT: &str = "linkerd-identity";

/// Something worth an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// Other credentials are in force.
    IssuerUpdated,
    /// Other credentials were refused.
    IssuerUpdateSkipped {
        /// Why.
        error: String,
    },
    /// A request failed because the issuer is not trusted.
    IssuerValidationFailed {
        /// Why.
        error: String,
        /// The identity that was asked for.
        identity: String,
    },
    /// The issuer's end cuts certificates short.
    IssuerExpiresSoon {
        /// When what ends first of issuer, intermediates and trust anchors does.
        end: Timestamp,
    },
    /// A certificate was issued.
    IssuedLeafCertificate {
        /// Whose it is.
        account: ServiceAccount,
        /// The name in it.
        identity: String,
        /// Its end.
        not_after: Timestamp,
        /// SHA-256 of its DER, in hexadecimal digits.
        fingerprint: String,
    },
}

impl Occurrence {
    /// The event, for a control plane in a namespace.
    pub fn event(self, namespace: &str) -> Event {
        let object = match &self {
            Self::IssuerUpdated
            | Self::IssuerUpdateSkipped { .. }
            | Self::IssuerValidationFailed { .. }
            | Self::IssuerExpiresSoon { .. } => reference("apps/v1", "Deployment", namespace, COMPONENT),
            Self::IssuedLeafCertificate { account, .. } => {
                reference("v1", "ServiceAccount", &account.namespace, &account.name)
            }
        };
        let (kind, reason, message) = self.text();
        Event { kind, reason, object, message, repeats: Repeats::SameReason }
    }

    fn text(self) -> (EventKind, &'static str, String) {
        match self {
            Self::IssuerUpdated => (EventKind::Normal, "IssuerUpdated", "Updated identity issuer".to_owned()),
            Self::IssuerUpdateSkipped { error } => {
                let message = format!("Skipping issuer update as certs could not be read from disk: {error}");
                (EventKind::Warning, "IssuerUpdateSkipped", message)
            }
            Self::IssuerValidationFailed { error, identity } => {
                (EventKind::Warning, "IssuerValidationFailed", format!("{error} - CSR Identity : {identity}"))
            }
            Self::IssuerExpiresSoon { end } => {
                let message = format!(
                    "The identity issuer or its trust anchors end at {end}, sooner than a new certificate would: \
                     certificates are shortened, and none are issued after that. Replace the issuer"
                );
                (EventKind::Warning, "IssuerExpiresSoon", message)
            }
            Self::IssuedLeafCertificate { identity, not_after, fingerprint, .. } => {
                let message = format!("issued certificate for {identity} until {not_after}: {fingerprint}");
                (EventKind::Normal, "IssuedLeafCertificate", message)
            }
        }
    }
}

fn reference(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.to_owned()),
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        ..ObjectReference::default()
    }
}

/// Where occurrences go. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    sink: events::Events,
    namespace: String,
    on_issuance: bool,
}

impl Events {
    /// Tells them on behalf of a control plane in a namespace. `on_issuance` is whether each certificate
    /// is worth an event.
    pub fn new(sink: events::Events, namespace: &str, on_issuance: bool) -> Self {
        Self { sink, namespace: namespace.to_owned(), on_issuance }
    }

    /// Whether certificates that are issued are worth an event.
    pub fn are_wanted_on_issuance(&self) -> bool {
        self.on_issuance && self.sink.are_wanted()
    }

    /// Tells an occurrence, unless too many wait to be told.
    pub fn emit(&self, occurrence: Occurrence) {
        self.sink.emit(occurrence.event(&self.namespace));
    }
}

#[cfg(test)]
mod tests;
