//! Manifests of any kind, applied as `kubectl apply --server-side` would.

use anyhow::{Context, Result, ensure};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::discovery::Scope;
use serde_json::{Value, json};

use super::{Cluster, DEADLINE, FIELD_MANAGER};
use crate::eventually;

impl Cluster {
    /// Applies every document of `yaml`; those without a namespace go to `namespace`.
    ///
    /// A document's `status` is applied too, in a request of its own, as the controllers would:
    /// a pod without a kubelet gets its address and readiness this way.
    pub async fn apply(&self, namespace: &str, yaml: &str) -> Result<Vec<DynamicObject>> {
        let mut applied = Vec::new();
        for document in documents(yaml)? {
            applied.push(self.apply_object(namespace, document).await?);
        }
        Ok(applied)
    }

    /// Deletes every object that the documents of `yaml` name.
    pub async fn delete(&self, namespace: &str, yaml: &str) -> Result<()> {
        for document in documents(yaml)? {
            let object = parse(document)?;
            let api = self.api(&object, namespace).await?;
            let name = name(&object)?;
            // No grace period: there may be no kubelet to wait for.
            api.delete(name, &DeleteParams::default().grace_period(0))
                .await
                .with_context(|| format!("cannot delete {}", describe(&object)))?;
        }
        Ok(())
    }

    /// Applies one object of any kind; see [`Cluster::apply`].
    pub async fn apply_object(&self, namespace: &str, document: Value) -> Result<DynamicObject> {
        let mut object = parse(document)?;
        let what = describe(&object);
        let api = self.api(&object, namespace).await?;
        let status = object.data.as_object_mut().and_then(|data| data.remove("status"));
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let name = name(&object)?.to_owned();
        let applied = api
            .patch(&name, &parameters, &Patch::Apply(&object))
            .await
            .with_context(|| format!("cannot apply {what}"))?;
        let Some(status) = status else {
            return Ok(applied);
        };
        let types = object.types.unwrap_or_default();
        let patch = json!({
            "apiVersion": types.api_version, "kind": types.kind, "status": status,
        });
        api.patch_status(&name, &parameters, &Patch::Apply(&patch))
            .await
            .with_context(|| format!("cannot apply the status of {what}"))
    }

    /// The current state of an object that was applied before.
    pub async fn read(&self, object: &DynamicObject) -> Result<DynamicObject> {
        let api = self.api(object, "default").await?;
        api.get(name(object)?).await.with_context(|| format!("cannot read {}", describe(object)))
    }

    /// The API for an object's kind, in its own namespace or else in `fallback`.
    async fn api(&self, object: &DynamicObject, fallback: &str) -> Result<Api<DynamicObject>> {
        let types = object.types.clone().unwrap_or_default();
        let gvk =
            GroupVersionKind::try_from(&types).with_context(|| format!("{:?} is no apiVersion", types.api_version))?;
        // A kind whose definition was applied a moment ago takes a moment to be served.
        let (resource, capabilities) =
            eventually(DEADLINE, || async { Ok(kube::discovery::pinned_kind(&self.client, &gvk).await?) })
                .await
                .with_context(|| format!("the API does not serve {} {}", types.api_version, types.kind))?;
        let namespace = object.metadata.namespace.as_deref().unwrap_or(fallback);
        Ok(match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client(), &resource),
            Scope::Namespaced => Api::namespaced_with(self.client(), namespace, &resource),
        })
    }
}

fn documents(yaml: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).context("not YAML")?;
    ensure!(!documents.is_empty(), "no document in the manifest");
    Ok(documents)
}

fn parse(document: Value) -> Result<DynamicObject> {
    let shown = document.to_string();
    let object: DynamicObject =
        serde_json::from_value(document).with_context(|| format!("not a Kubernetes object: {shown}"))?;
    ensure!(object.types.is_some(), "an object without apiVersion and kind: {shown}");
    Ok(object)
}

fn name(object: &DynamicObject) -> Result<&str> {
    let name = object.metadata.name.as_deref();
    name.with_context(|| format!("{} has no name", describe(object)))
}

/// The object as an error names it: `Service emojivoto/web-svc`.
fn describe(object: &DynamicObject) -> String {
    let TypeMeta { kind, .. } = object.types.clone().unwrap_or_default();
    let name = object.metadata.name.as_deref().unwrap_or("without a name");
    match object.metadata.namespace.as_deref() {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_documents_are_skipped() {
        let yaml = "---\na: 1\n---\n# nothing\n---\nb: 2\n";
        assert_eq!(documents(yaml).unwrap(), [json!({"a": 1}), json!({"b": 2})]);
        assert!(documents("# nothing\n").is_err());
    }

    #[test]
    fn a_document_that_is_no_object_is_shown() {
        let error = parse(json!({"metadata": {"name": "x"}})).unwrap_err().to_string();
        assert!(error.contains("without apiVersion"), "{error}");
    }
}
