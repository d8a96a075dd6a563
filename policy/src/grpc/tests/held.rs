//! Answers that wait, and streams that are read late, without a network in between.

use crate::{
    config::Config,
    grpc::{inbound, validate},
    index::inbound::InboundIndex,
    testing::{config, pod, server},
};
use futures::{FutureExt, StreamExt};
use linkerd_controller::source::{Shared, Sink};
use linkerd_k8s::{
    ExternalWorkload, ObjectId, Pod, Server,
    policy::{AuthorizationPolicy, MeshTlsAuthentication, NetworkAuthentication, ServerAuthorization},
};
use linkerd_proto::inbound::PortSpec;
use parking_lot::Mutex;
use serde_json::json;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::Instant;
use tonic::{Code, Status};

fn index() -> Shared<InboundIndex> {
    Arc::new(Mutex::new(InboundIndex::new(Arc::new(Config { probe_networks: vec![], ..config() }))))
}

fn list_nothing(index: &Shared<InboundIndex>) {
    let (mut index, live) = (index.lock(), HashSet::new());
    Sink::<Pod>::reset(&mut *index, &live);
    Sink::<ExternalWorkload>::reset(&mut *index, &live);
    Sink::<Server>::reset(&mut *index, &live);
    Sink::<ServerAuthorization>::reset(&mut *index, &live);
    Sink::<AuthorizationPolicy>::reset(&mut *index, &live);
    Sink::<MeshTlsAuthentication>::reset(&mut *index, &live);
    Sink::<NetworkAuthentication>::reset(&mut *index, &live);
}

fn spec(workload: &str) -> PortSpec {
    PortSpec { workload: workload.to_owned(), port: 80 }
}

/// Case 2, and the ideal of section 7 of the proxy contract.
#[tokio::test(start_paused = true)]
async fn an_unknown_pod_is_waited_for_just_under_three_seconds() {
    let index = index();
    list_nothing(&index);
    let began = Instant::now();
    let error = Status::from(inbound::watch(&index, &spec("n:web")).await.err().unwrap());
    assert_eq!((error.code(), error.message()), (Code::NotFound, "unknown server"));
    assert!(began.elapsed() > Duration::from_millis(2500) && began.elapsed() < Duration::from_secs(3));
    assert_eq!(index.lock().sizes().len(), 0, "nothing is left of the question");
    let began = Instant::now();
    assert!(inbound::watch(&index, &spec("nonsense")).await.is_err() && began.elapsed().is_zero());
    let question = spec("n:web");
    let mut waiting = std::pin::pin!(inbound::watch(&index, &question));
    assert!(waiting.as_mut().now_or_never().is_none());
    index.lock().apply(pod("web").done());
    let mut stream = waiting.now_or_never().unwrap().unwrap();
    assert_eq!(validate::inbound(&stream.next().await.unwrap().unwrap()).labels["name"], "all-unauthenticated");
}

/// Case 82.
#[tokio::test(start_paused = true)]
async fn lookups_before_the_first_lists_are_unavailable() {
    let index = index();
    let code = |error| Status::from(error).code();
    index.lock().apply(pod("web").done());
    assert_eq!(code(inbound::get(&index, &spec("n:web")).unwrap_err()), Code::Unavailable);
    assert_eq!(code(inbound::watch(&index, &spec("n:web")).await.err().unwrap()), Code::Unavailable);
    let question = spec("n:web");
    let (stream, ()) = tokio::join!(inbound::watch(&index, &question), async {
        list_nothing(&index);
        index.lock().apply(pod("web").done());
    });
    assert!(stream.is_ok());
    assert!(inbound::get(&index, &spec("n:web")).is_ok());
    assert_eq!(code(inbound::get(&index, &spec("n:other")).unwrap_err()), Code::NotFound);
}

/// A client that reads slowly costs one pending version, and misses none that it needs.
#[tokio::test]
async fn a_late_reader_gets_the_newest_policy_alone() {
    let index = index();
    list_nothing(&index);
    index.lock().apply(pod("web").done());
    let mut stream = inbound::watch(&index, &spec("n:web")).await.unwrap();
    let mut other = inbound::watch(&index, &spec("n:web")).await.unwrap();
    let message = stream.next().await.unwrap().unwrap();
    assert_eq!(message.as_ptr(), other.next().await.unwrap().unwrap().as_ptr(), "encoded once");
    for i in 0..100 {
        index.lock().apply(server(&format!("s{i:02}"), "web", json!(80)).created(100 - i).done());
    }
    let newest = validate::inbound(&stream.next().await.unwrap().unwrap());
    assert_eq!(newest.labels["name"], "s99");
    assert!(stream.next().now_or_never().is_none());
    // There and back again is no news.
    Sink::<Server>::delete(&mut *index.lock(), &ObjectId::new("n", "s99"));
    index.lock().apply(server("s99", "web", json!(80)).created(1).done());
    assert!(stream.next().now_or_never().is_none());
    Sink::<Pod>::delete(&mut *index.lock(), &ObjectId::new("n", "web"));
    assert!(stream.next().await.is_none());
}
