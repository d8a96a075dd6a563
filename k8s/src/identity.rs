//! Mesh identities: the DNS-like names in workload certificates.

use std::fmt;

/// Identity of a workload, `<sa>.<ns>.serviceaccount.identity.<control-plane-ns>.<trust-domain>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(String);

impl Identity {
    /// The identity of a service account.
    pub fn service_account(account: &str, namespace: &str, control_plane_ns: &str, trust_domain: &str) -> Self {
        Self(format!("{account}.{namespace}.serviceaccount.identity.{control_plane_ns}.{trust_domain}"))
    }

    /// The name, as in certificates.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.0
    }
}

/// Whether a text is a DNS label of RFC 1123: lower-case letters, digits and inner dashes, at most 63.
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_label_text(text)
}

/// Whether a text is a DNS subdomain of RFC 1123: labels joined by dots, at most 253 characters.
///
/// A label may be longer than 63 characters here, as in the Kubernetes API.
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label_text)
}

fn is_label_text(text: &str) -> bool {
    let alphanumeric = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = text.as_bytes();
    let edges =
        bytes.first().zip(bytes.last()).is_some_and(|(first, last)| alphanumeric(*first) && alphanumeric(*last));
    edges && bytes.iter().all(|c| alphanumeric(*c) || *c == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_names_account_namespace_and_domain() {
        let identity = Identity::service_account("web", "emojivoto", "linkerd", "cluster.local");
        assert_eq!(identity.as_str(), "web.emojivoto.serviceaccount.identity.linkerd.cluster.local");
    }

    #[test]
    fn labels_and_subdomains_follow_rfc_1123() {
        assert!(is_dns_label("a-1") && is_dns_label(&"a".repeat(63)));
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", &"a".repeat(64)] {
            assert!(!is_dns_label(bad), "{bad}");
        }
        assert!(is_dns_subdomain("web.emojivoto.svc.cluster.local"));
        for bad in ["", ".a", "a.", "a..b", "^.^"] {
            assert!(!is_dns_subdomain(bad), "{bad}");
        }
    }
}
