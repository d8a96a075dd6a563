//! Builders for tests.

use crate::check::verdict::Finding;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

/// What is wrong, of something that has to be.
#[track_caller]
pub fn text(verdict: Result<impl Sized, Finding>) -> String {
    match verdict {
        Err(Finding::Error(text)) => text,
        Err(finding) => panic!("{finding:?}"),
        Ok(_) => panic!("all is well"),
    }
}

/// A pod of the data plane in namespace `app`: running, with a ready proxy.
pub struct PodBuilder {
    pod: Value,
    proxy: Value,
    is_ready: bool,
    is_native: bool,
}

/// Starts building.
pub fn pod(name: &str) -> PodBuilder {
    let labels = json!({ "linkerd.io/control-plane-ns": "linkerd", "app": name });
    let pod = json!({
        "metadata": { "name": name, "namespace": "app", "labels": labels, "annotations": {} },
        "spec": { "containers": [{ "name": "app" }], "initContainers": [] },
        "status": { "phase": "Running" },
    });
    let proxy = json!({ "name": "linkerd-proxy", "image": "cr.l5d.io/linkerd/proxy:v2" });
    PodBuilder { pod, proxy, is_ready: true, is_native: false }
}

impl PodBuilder {
    fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        self.pod.pointer_mut(parent).unwrap()[key] = value.into();
        self
    }

    pub fn anchors(mut self, anchors: &str) -> Self {
        self.proxy["env"] = json!([{ "name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": anchors }]);
        self
    }

    pub fn image(mut self, image: &str) -> Self {
        self.proxy["image"] = image.into();
        self
    }

    pub fn unready(mut self) -> Self {
        self.is_ready = false;
        self
    }

    pub fn native(mut self) -> Self {
        self.is_native = true;
        self
    }

    pub fn unmeshed(mut self) -> Self {
        self.proxy = Value::Null;
        self
    }

    pub fn control_plane(mut self, namespace: &str) -> Self {
        self.pod["metadata"]["labels"]["linkerd.io/control-plane-ns"] = namespace.into();
        self
    }

    pub fn phase(self, phase: &str) -> Self {
        self.with("/status/phase", phase)
    }

    pub fn reason(self, reason: &str) -> Self {
        self.with("/status/reason", reason)
    }

    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.pod["metadata"]["labels"][key] = value.into();
        self
    }

    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.pod["metadata"]["annotations"][key] = value.into();
        self
    }

    /// A port of the application's container.
    pub fn port(mut self, name: &str, number: u16) -> Self {
        self.pod["spec"]["containers"][0]["ports"] = json!([{ "name": name, "containerPort": number }]);
        self
    }

    pub fn build(mut self) -> Pod {
        let lists = match self.is_native {
            true => ["initContainers", "initContainerStatuses"],
            false => ["containers", "containerStatuses"],
        };
        if !self.proxy.is_null() {
            self.pod["spec"][lists[0]].as_array_mut().unwrap().push(self.proxy);
            self.pod["status"][lists[1]] = json!([{
                "name": "linkerd-proxy", "ready": self.is_ready, "restartCount": 0, "image": "", "imageID": "",
            }]);
        }
        serde_json::from_value(self.pod).unwrap()
    }
}
