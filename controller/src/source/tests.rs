use super::*;
use linkerd_k8s::Service;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

#[derive(Default)]
struct Names(BTreeSet<String>);

impl Sink<Service> for Names {
    fn apply(&mut self, service: Service) {
        self.0.insert(service.id().to_string());
    }

    fn delete(&mut self, id: &ObjectId) {
        self.0.remove(&id.to_string());
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        self.0.retain(|name| live.iter().any(|id| id.to_string() == *name));
    }
}

fn service(name: &str, port: serde_json::Value) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "n"},
           "spec": {"ports": [{"port": port}]}})
}

async fn becomes(names: &Shared<Names>, expected: &[&str]) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while names.lock().0.iter().map(String::as_str).ne(expected.iter().copied()) {
        assert!(tokio::time::Instant::now() < deadline, "{:?} never became {expected:?}", names.lock().0);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn objects_in_memory_reach_the_index_and_leave_it() {
    let objects = Objects::default();
    objects.replace([service("web", json!(80)), service("emoji", json!(80))]);
    let (tasks, _supervisor) = Tasks::new();
    let names = Shared::<Names>::default();
    Watches::new(Source::Memory(objects.clone()), &tasks).watch::<Service, _>(&names);
    tasks.readiness.wait().await;
    becomes(&names, &["n/emoji", "n/web"]).await;
    objects.replace([service("web", json!(80)), service("voting", json!(80))]);
    becomes(&names, &["n/voting", "n/web"]).await;
}

#[tokio::test]
async fn an_object_edited_into_an_undecodable_one_is_absent_until_it_is_mended() {
    let objects = Objects::default();
    objects.replace([service("web", json!(80))]);
    let (tasks, _supervisor) = Tasks::new();
    let names = Shared::<Names>::default();
    Watches::new(Source::Memory(objects.clone()), &tasks).watch::<Service, _>(&names);
    becomes(&names, &["n/web"]).await;
    objects.replace([service("web", json!("eighty"))]);
    becomes(&names, &[]).await;
    assert!(
        tasks.metrics.encode().contains("kube_watch_undecodable_objects{kind=\"Service\",group=\"\",version=\"v1\"} 1")
    );
    objects.replace([service("web", json!(81))]);
    becomes(&names, &["n/web"]).await;
}
