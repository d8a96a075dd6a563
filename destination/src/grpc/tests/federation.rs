//! Streams of Services that stand for others.

use crate::{
    core::config::Config,
    fixtures::{Named, PodExt, ServiceExt, SliceExt, bare, pod, service, slice},
    grpc::{Server, delivery::Meters},
    index::{
        Index,
        clusters::RemoteCluster,
        tests::{sync, sync_foreign},
    },
};
use futures::StreamExt;
use linkerd_controller::{
    grpc::Methods,
    source::{Shared, Sink},
    tasks::Tasks,
};
use linkerd_k8s::{
    Service,
    names::{annotation, label},
};
use linkerd_proto::destination::{GetDestination, Update, WeightedAddrSet, update};
use parking_lot::Mutex;
use prost::Message;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};
use tonic::Code;

fn config() -> Config {
    Config { cluster_domain: "mycluster.local".to_owned(), ..Config::default() }
}

/// This cluster, with `bb` at 10.0.0.1.
fn here() -> Shared<Index> {
    let mut index = Index::new(Arc::new(config()));
    sync(&mut index);
    index.apply(service("bb").port("", 80));
    index.apply(slice("bb", "s").port("", 8080).endpoint(bare("10.0.0.1")));
    Arc::new(Mutex::new(index))
}

/// Cluster `east`, with `cc` at 10.1.0.1, which has not told all of its state yet.
struct East {
    index: Shared<Index>,
    settled: watch::Sender<bool>,
}

impl East {
    fn of(here: &Shared<Index>) -> Self {
        let mut index = Index::foreign(Arc::new(Config { trust_domain: "east.trust".to_owned(), ..config() }));
        let there = pod("there").ip("10.1.0.1").meshed();
        index.apply(there.clone());
        index.apply(service("cc").port("", 80));
        index.apply(slice("cc", "s").port("", 8080).pods([&there]));
        let east = Self { index: Arc::new(Mutex::new(index)), settled: watch::Sender::new(false) };
        east.tell(here);
        east
    }

    fn tell(&self, here: &Shared<Index>) {
        let synced = self.index.lock().synced();
        let cluster = RemoteCluster { index: self.index.clone(), synced, settled: self.settled.subscribe() };
        here.lock().set_cluster(&"east".into(), Some(cluster));
    }

    fn sync(&self, here: &Shared<Index>) {
        sync_foreign(&mut self.index.lock());
        self.tell(here);
        self.settled.send_replace(true);
    }
}

fn server(here: &Shared<Index>) -> Server {
    let (tasks, _supervisor) = Tasks::new();
    Server::measured(here, Meters::register(&Methods::new(&tasks)))
}

fn mirror() -> Service {
    service("mirror").port("", 80).label(label::REMOTE_DISCOVERY, "east").label(label::REMOTE_SERVICE, "cc")
}

fn federated() -> Service {
    let service = service("all").port("", 80).annotation(annotation::FEDERATED_LOCAL, "bb");
    service.annotation(annotation::FEDERATED_REMOTE, "cc@east")
}

fn request(name: &str) -> GetDestination {
    GetDestination { path: format!("{name}.ns.svc.mycluster.local:80"), ..GetDestination::default() }
}

fn decoded(message: Option<Result<bytes::Bytes, tonic::Status>>) -> update::Update {
    Update::decode(message.unwrap().unwrap()).unwrap().update.unwrap()
}

fn added(message: Option<Result<bytes::Bytes, tonic::Status>>) -> WeightedAddrSet {
    match decoded(message) {
        update::Update::Add(set) => set,
        other => panic!("{other:?}"),
    }
}

// Case 46.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_followed_is_refused_with_the_code_that_proxies_understand() {
    let here = here();
    here.lock().apply(mirror());
    here.lock().apply(service("nameless").label(label::REMOTE_DISCOVERY, "east"));
    let refusal = async |name: &str| {
        let status = server(&here).get(request(name)).await.err().unwrap();
        (status.code(), status.message().to_owned())
    };
    assert_eq!(refusal("mirror").await, (Code::NotFound, "Remote cluster not found: east".to_owned()));
    let message = "Remote discovery service missing remote service name nameless.ns.svc.mycluster.local:80";
    assert_eq!(refusal("nameless").await, (Code::FailedPrecondition, message.to_owned()));
    let _east = East::of(&here);
    let message = "the initial state of remote cluster east is not complete yet";
    assert_eq!(refusal("mirror").await, (Code::Unavailable, message.to_owned()));
}

// Case 48.
#[tokio::test(start_paused = true)]
async fn the_first_message_is_one_union_that_waits_a_moment_for_a_new_cluster() {
    let here = here();
    here.lock().apply(federated());
    let east = East::of(&here);
    let syncing = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        east.sync(&here);
    };
    let (mut stream, ()) = tokio::join!(async { server(&here).get(request("all")).await.unwrap() }, syncing);
    let set = added(stream.next().await);
    assert_eq!(set.addrs.len(), 2);
    assert_eq!((set.metric_labels["service"].as_str(), set.metric_labels["namespace"].as_str()), ("bb", "ns"));
    assert!(!set.addrs[0].metric_labels.contains_key("service"));
    assert_eq!(set.addrs[1].metric_labels["service"], "cc", "the labels are those of the member's own set");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_does_not_answer_holds_up_the_first_message_for_a_second_at_most() {
    let here = here();
    here.lock().apply(federated());
    let east = East::of(&here);
    let asked = Instant::now();
    let mut stream = server(&here).get(request("all")).await.unwrap();
    assert_eq!(asked.elapsed(), Duration::from_secs(1));
    assert_eq!(added(stream.next().await).addrs.len(), 1);
    // Nobody waits again for a cluster that was waited for.
    east.settled.send_replace(true);
    let asked = Instant::now();
    let _other = server(&here).get(request("all")).await.unwrap();
    assert_eq!(asked.elapsed(), Duration::ZERO);
    east.sync(&here);
    assert_eq!(added(stream.next().await).addrs.len(), 1);
}

// Case 48.
#[tokio::test(start_paused = true)]
async fn the_stream_of_a_federated_service_that_is_deleted_ends_after_it_has_said_so() {
    let here = here();
    here.lock().apply(federated());
    let mut stream = server(&here).get(request("all")).await.unwrap();
    added(stream.next().await);
    Sink::<Service>::delete(&mut *here.lock(), &linkerd_k8s::ObjectId::new("ns", "all"));
    assert!(matches!(decoded(stream.next().await), update::Update::Remove(set) if set.addrs.len() == 1));
    assert!(matches!(decoded(stream.next().await), update::Update::NoEndpoints(none) if !none.exists));
    assert!(stream.next().await.is_none(), "the stream ends, with OK");
    drop(stream);
    assert_eq!(here.lock().federated().sizes(), (0, 0));
}
