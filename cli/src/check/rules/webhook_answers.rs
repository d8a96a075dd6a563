//! Whether the webhooks answer: the API server is asked to make an object that the webhook refuses.
//!
//! Nothing is made, whatever the answer is: the requests are dry runs. With failurePolicy Ignore, this is
//! the only way to tell: an object that no webhook judged is let through silently.

use super::{
    pods::{containers, label, name},
    webhooks::{INJECTOR, PROFILES, Webhook},
};
use crate::{
    check::{
        context::Context,
        verdict::{Finding, Verdict},
    },
    cluster::failure,
};
use k8s_openapi::{
    api::core::v1::{Namespace, Pod},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{
    Api, Resource,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use linkerd_k8s::names::PROXY_CONTAINER;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;

/// The injector answers.
pub async fn injector(context: &Context) -> Verdict {
    let Some(namespace) = namespace(context, INJECTOR).await? else { return Err(Finding::Skipped) };
    let api: Api<Pod> = Api::namespaced(context.reads()?.client(), &namespace);
    let answer = dry_run(&api, pod()).await?;
    // Should a version take the annotation, the pod comes back with a proxy.
    let is_injected = |pod: Pod| containers(&pod).any(|container| container.name == PROXY_CONTAINER);
    judge(INJECTOR, "a pod that it refuses", answer.map(is_injected), context.namespace())
}

/// The validator of ServiceProfiles answers.
pub async fn profiles(context: &Context) -> Verdict {
    let Some(namespace) = namespace(context, PROFILES).await? else { return Err(Finding::Skipped) };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("linkerd.io", "v1alpha2", "ServiceProfile"));
    let api: Api<DynamicObject> = Api::namespaced_with(context.reads()?.client(), &namespace, &resource);
    let answer = dry_run(&api, profile(&namespace)).await?;
    judge(PROFILES, "an invalid ServiceProfile", answer.map(|_| false), context.namespace())
}

/// A pod with an annotation that no pod may have.
fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "linkerd-check-",
            "annotations": {
                "linkerd.io/inject": "enabled",
                "config.linkerd.io/proxy-log-http-headers": "refused-by-linkerd-check",
            },
        },
        "spec": { "containers": [{ "name": "check", "image": "none" }] },
    })
}

/// A ServiceProfile that its definition allows and the validator does not.
fn profile(namespace: &str) -> Value {
    let route = json!({ "name": "check", "condition": { "method": "GET" }, "timeout": "refused by linkerd check" });
    json!({
        "apiVersion": "linkerd.io/v1alpha2",
        "kind": "ServiceProfile",
        "metadata": { "name": format!("linkerd-check.{namespace}.svc.cluster.local") },
        "spec": { "routes": [route] },
    })
}

/// Asks for an object that is not stored. Returns it, or the text of the refusal.
async fn dry_run<K>(api: &Api<K>, object: Value) -> Result<Result<K, String>, Finding>
where
    K: Resource + Clone + DeserializeOwned + serde::Serialize + Debug,
{
    let object: K = serde_json::from_value(object).map_err(anyhow::Error::from)?;
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    Ok(api.create(&parameters, &object).await.map_err(|error| failure(&error)))
}

/// What an answer tells: `Ok` has whether the object was changed as the webhook would.
fn judge(webhook: Webhook, what: &str, answer: Result<bool, String>, namespace: &str) -> Verdict {
    let Webhook { name, .. } = webhook;
    let advice = format!(
        "see `kubectl logs -n {namespace} deploy/linkerd-{name}`, and whether the API server reaches port 8443 of its pods"
    );
    match answer {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(Finding::Error(format!("the API server took {what}, so the webhook did not answer; {advice}")))
        }
        Err(text) if text.contains(&format!("admission webhook \"linkerd-{name}.linkerd.io\" denied the request")) => {
            Ok(())
        }
        Err(text) if text.contains("cannot create resource") || text.contains("denied the request") => {
            Err(Finding::Warning(format!("it could not be tried: {text}")))
        }
        Err(text) => Err(Finding::Error(format!("{text}; {advice}"))),
    }
}

/// A namespace whose objects are sent to the webhook, `default` if that is one.
async fn namespace(context: &Context, webhook: Webhook) -> Result<Option<String>, Finding> {
    let call = webhook.call(context).await?;
    Ok(first_selected(&context.reads()?.all("").await?, call.namespaces.as_ref()))
}

fn first_selected(namespaces: &[Namespace], selector: Option<&LabelSelector>) -> Option<String> {
    let selector = selector.map(|selector| serde_json::to_value(selector).and_then(serde_json::from_value));
    let selector: linkerd_k8s::LabelSelector = selector?.ok()?;
    let selected = namespaces.iter().filter(|namespace| {
        namespace.metadata.deletion_timestamp.is_none() && selector.matches_by(|key| label(&namespace.metadata, key))
    });
    let names = selected.map(|namespace| name(&namespace.metadata));
    names.min_by_key(|name| (*name != "default", *name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str =
        "admission webhook \"linkerd-sp-validator.linkerd.io\" denied the request: ServiceProfile \"x\" has a route";

    fn verdict(answer: Result<bool, &str>) -> Verdict {
        judge(PROFILES, "an invalid ServiceProfile", answer.map_err(str::to_owned), "l5d")
    }

    #[test]
    fn a_refusal_by_the_webhook_or_its_change_is_an_answer() {
        assert_eq!(verdict(Err(REFUSED)), Ok(()));
        assert_eq!(verdict(Ok(true)), Ok(()));
    }

    #[test]
    fn an_object_that_is_let_through_was_not_judged() {
        let found = verdict(Ok(false));
        let text = "the API server took an invalid ServiceProfile, so the webhook did not answer; see `kubectl logs -n l5d \
                    deploy/linkerd-sp-validator`, and whether the API server reaches port 8443 of its pods";
        assert_eq!(found, Err(Finding::error(text)));
        let failed = verdict(Err("failed calling webhook \"linkerd-sp-validator.linkerd.io\": connection refused"));
        assert!(matches!(failed, Err(Finding::Error(text)) if text.contains("connection refused; see `kubectl")));
    }

    #[test]
    fn what_somebody_else_refuses_tells_nothing() {
        for text in [
            "pods is forbidden: User \"u\" cannot create resource \"pods\" in API group \"\" in the namespace \"default\"",
            "admission webhook \"validate.example.org\" denied the request: no labels",
        ] {
            assert!(matches!(verdict(Err(text)), Err(Finding::Warning(_))), "{text}");
        }
    }

    #[test]
    fn the_default_namespace_is_tried_unless_its_objects_are_not_sent() {
        let namespaces = |labels: Value| -> Vec<Namespace> {
            let namespace = |name: &str, labels: &Value| json!({ "metadata": { "name": name, "labels": labels } });
            serde_json::from_value(json!([
                namespace("z", &json!({})),
                namespace("app", &json!({})),
                namespace("default", &labels),
                { "metadata": { "name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z" } },
            ]))
            .unwrap()
        };
        let key = "config.linkerd.io/admission-webhooks";
        let selector = json!({ "matchExpressions": [{ "key": key, "operator": "NotIn", "values": ["disabled"] }] });
        let selector: LabelSelector = serde_json::from_value(selector).unwrap();
        let first = |labels: Value, selector| first_selected(&namespaces(labels), selector);
        assert_eq!(first(json!({}), Some(&selector)).as_deref(), Some("default"));
        assert_eq!(first(json!({ key: "disabled" }), Some(&selector)).as_deref(), Some("app"));
        assert_eq!(first(json!({}), Some(&LabelSelector::default())).as_deref(), Some("default"));
    }

    /// The object is invalid to the validator, and to nobody else.
    #[test]
    fn the_profile_is_refused_by_the_validator_itself() {
        let refused = linkerd_sp_validator::core::validate(Some(&profile("default"))).unwrap_err().to_string();
        assert!(refused.contains("refused by linkerd check"), "{refused}");
    }

    #[test]
    fn the_pod_is_refused_by_the_injector_itself() {
        use linkerd_injector::core::{
            config::{Config, Namespace},
            inject::{Action, mutate},
            owner::Owner,
            trust::TrustAnchors,
            values::Values,
        };
        let made =
            linkerd_identity::generate::Credentials::generate("linkerd", "cluster.local", jiff::Timestamp::now())
                .unwrap();
        let config =
            Config::new(Values::default(), "linkerd", TrustAnchors::parse(&made.trust_anchor).unwrap()).unwrap();
        let owner = Owner { kind: "pod".to_owned(), name: "check".to_owned() };
        let mutation = mutate(&config, &Namespace::default(), &owner, "Pod", &pod()).unwrap();
        assert!(matches!(mutation.action, Action::Reject(_)), "{:?}", mutation.action);
    }
}
