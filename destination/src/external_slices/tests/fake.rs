//! The EndpointSlices of an API server.

use http::{Request, Response, StatusCode};
use kube::client::Body;
use linkerd_k8s::EndpointSlice;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Slices by namespace and name, with versions and generations as an API server counts them.
#[derive(Clone, Default)]
pub(super) struct FakeSlices(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    objects: BTreeMap<(String, String), Value>,
    version: u64,
    drawn: usize,
    writes: usize,
    mood: Mood,
}

/// How requests are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Mood {
    #[default]
    Good,
    /// Every write is refused.
    Refuses(StatusCode, &'static str),
    /// Nothing is answered.
    Silent,
    /// A webhook adds a label to whatever is written.
    Meddles,
}

type Answer = Result<Value, (StatusCode, &'static str)>;

impl FakeSlices {
    pub(super) fn create(&self, namespace: &str, mut object: Value) -> Answer {
        let mut inner = self.0.lock();
        inner.drawn += 1;
        let prefix = object["metadata"]["generateName"].as_str().unwrap().to_owned();
        let name = format!("{prefix}{:05}", inner.drawn);
        object["metadata"]["name"] = name.as_str().into();
        object["metadata"]["uid"] = format!("{name}-uid").into();
        object["metadata"]["generation"] = 0.into();
        inner.put((namespace.to_owned(), name), object)
    }

    pub(super) fn patch(&self, namespace: &str, name: &str, patch: &Value) -> Answer {
        let mut inner = self.0.lock();
        let id = (namespace.to_owned(), name.to_owned());
        let Some(object) = inner.objects.get(&id).cloned() else { return Err((StatusCode::NOT_FOUND, "NotFound")) };
        let version = &patch["metadata"]["resourceVersion"];
        if !version.is_null() && *version != object["metadata"]["resourceVersion"] {
            return Err((StatusCode::CONFLICT, "Conflict"));
        }
        let mut patched = object;
        merge(&mut patched, patch);
        inner.put(id, patched)
    }

    pub(super) fn delete(&self, namespace: &str, name: &str, preconditions: Option<&Value>) -> Answer {
        let mut inner = self.0.lock();
        let id = (namespace.to_owned(), name.to_owned());
        let Some(object) = inner.objects.get(&id) else { return Err((StatusCode::NOT_FOUND, "NotFound")) };
        let differs = |field: &str| preconditions.is_some_and(|wanted| wanted[field] != object["metadata"][field]);
        if differs("uid") || differs("resourceVersion") {
            return Err((StatusCode::CONFLICT, "Conflict"));
        }
        inner.writes += 1;
        Ok(inner.objects.remove(&id).unwrap_or_default())
    }

    pub(super) fn all(&self) -> Vec<EndpointSlice> {
        let inner = self.0.lock();
        inner.objects.values().map(|object| serde_json::from_value(object.clone()).unwrap()).collect()
    }

    pub(super) fn objects(&self) -> Vec<Value> {
        self.0.lock().objects.values().cloned().collect()
    }

    /// Writes that were taken.
    pub(super) fn writes(&self) -> usize {
        self.0.lock().writes
    }

    pub(super) fn set(&self, mood: Mood) {
        self.0.lock().mood = mood;
    }

    /// A client of an API server that has these slices, each answer of which takes a millisecond.
    pub(super) fn client(&self) -> kube::Client {
        let slices = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let slices = slices.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
                if slices.0.lock().mood == Mood::Silent {
                    std::future::pending::<()>().await;
                }
                let (code, object) = match slices.answer(parts.method.as_str(), parts.uri.path(), &body) {
                    Ok(object) => (StatusCode::OK, object),
                    Err((code, reason)) => (code, status(code, reason)),
                };
                let response = Response::builder().status(code).body(Body::from(object.to_string().into_bytes()));
                Ok::<_, std::io::Error>(response.unwrap())
            }
        });
        kube::Client::new(service, "default")
    }

    fn answer(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let mood = self.0.lock().mood.clone();
        if let (Mood::Refuses(code, reason), true) = (mood, method != "GET") {
            return Err((code, reason));
        }
        let path: Vec<&str> = path.trim_start_matches("/apis/discovery.k8s.io/v1/namespaces/").split('/').collect();
        let sent = || serde_json::from_slice::<Value>(body).unwrap();
        match (method, path.as_slice()) {
            ("POST", [namespace, "endpointslices"]) => self.create(namespace, sent()),
            ("PATCH", [namespace, "endpointslices", name]) => self.patch(namespace, name, &sent()),
            ("DELETE", [namespace, "endpointslices", name]) => {
                self.delete(namespace, name, Some(&sent()["preconditions"]))
            }
            ("GET", [namespace, "endpointslices", name]) => {
                let inner = self.0.lock();
                let object = inner.objects.get(&((*namespace).to_owned(), (*name).to_owned()));
                object.cloned().ok_or((StatusCode::NOT_FOUND, "NotFound"))
            }
            other => unreachable!("{other:?}"),
        }
    }
}

impl Inner {
    fn put(&mut self, id: (String, String), mut object: Value) -> Answer {
        if self.mood == Mood::Meddles {
            object["metadata"]["labels"]["meddled"] = "yes".into();
        }
        self.version += 1;
        self.writes += 1;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = self.version.to_string().into();
        metadata["generation"] = (metadata["generation"].as_i64().unwrap() + 1).into();
        metadata["namespace"] = id.0.as_str().into();
        self.objects.insert(id, object.clone());
        Ok(object)
    }
}

/// JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

fn status(code: StatusCode, reason: &str) -> Value {
    let causes = if reason == "NamespaceTerminating" {
        json!([{"reason": reason, "message": "terminating"}])
    } else {
        json!([])
    };
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code.as_u16(), "reason": reason,
           "message": format!("{reason} by the fake server"), "details": {"causes": causes}})
}
