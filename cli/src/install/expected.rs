//! What an installation consists of, for whoever checks one.

use super::{
    Document,
    arguments::{IdentityArgs, ValueArgs},
    charts::CONTROL_PLANE,
    credentials::{self, Fallback},
    defaults, rendered, values,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The custom resource definitions.
///
/// # Errors
/// When the chart cannot be rendered.
pub fn definitions(namespace: &str) -> anyhow::Result<Vec<Document>> {
    super::crds(&ValueArgs::default(), namespace)
}

/// What would be installed by default, with credentials that nobody else gets.
///
/// # Errors
/// When the chart cannot be rendered.
pub fn by_default(namespace: &str) -> anyhow::Result<Vec<Document>> {
    let mut values = defaults(&CONTROL_PLANE)?;
    let fallback = Fallback { namespace, external_anchors: None, now: Timestamp::now() };
    credentials::fill(&mut values, &IdentityArgs::default(), fallback)?;
    rendered(&CONTROL_PLANE, &values, namespace)
}

/// What an installation has whose values are stored, as in the ConfigMap `linkerd-config`.
///
/// Keys of certificates are not stored: the objects hold other ones.
///
/// # Errors
/// When the chart does not take the values.
pub fn with_values(stored: &Value, namespace: &str) -> anyhow::Result<Vec<Document>> {
    let mut values = values::coalesce(&defaults(&CONTROL_PLANE)?, stored.clone());
    for place in ["identity.issuer.tls", "proxyInjector", "profileValidator", "policyValidator"] {
        let has_certificate = !values::text_at(&values, &format!("{place}.crtPEM")).is_empty();
        if has_certificate {
            values::put(&mut values, &format!("{place}.keyPEM"), json!("-"));
        }
    }
    rendered(&CONTROL_PLANE, &values, namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(documents: &[Document]) -> Vec<String> {
        documents.iter().map(|document| format!("{} {}", document.kind(), document.name())).collect()
    }

    #[test]
    fn stored_values_give_the_objects_that_were_installed() {
        let installed = by_default("linkerd").unwrap();
        let config = installed.iter().find(|document| document.name() == "linkerd-config").unwrap();
        let stored: Value = serde_saphyr::from_str(config.object["data"]["values"].as_str().unwrap()).unwrap();
        assert_eq!(names(&with_values(&stored, "linkerd").unwrap()), names(&installed));
    }

    #[test]
    fn values_decide_which_objects_are_expected() {
        let installed = by_default("linkerd").unwrap();
        let config = installed.iter().find(|document| document.name() == "linkerd-config").unwrap();
        let mut stored: Value = serde_saphyr::from_str(config.object["data"]["values"].as_str().unwrap()).unwrap();
        values::put(&mut stored, "profileValidator.crtPEM", "certificate");
        values::put(&mut stored, "policyValidator.enabled", true);
        let names = names(&with_values(&stored, "linkerd").unwrap());
        assert!(!names.contains(&"Role linkerd-sp-validator".to_owned()), "it does not issue its own certificate");
        assert!(names.contains(&"ValidatingWebhookConfiguration linkerd-policy-validator-webhook-config".to_owned()));
    }
}
