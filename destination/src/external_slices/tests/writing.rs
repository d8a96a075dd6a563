//! The worker against an API server that is good, bad or away. Time is paused.

use super::{fake::Mood, *};
use crate::external_slices::{api::Slices, metrics::QueueMetrics, worker::Worker};
use http::StatusCode;
use linkerd_controller::{lease::Leadership, source::Shared};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

struct Running {
    state: Shared<State>,
    slices: FakeSlices,
    registry: Registry,
    worker: JoinHandle<std::convert::Infallible>,
}

impl Running {
    /// A worker whose state knows these Services and workloads, and hears nothing of slices.
    fn start(services: Vec<Service>, vms: Vec<ExternalWorkload>) -> Self {
        Self::start_with(services, vms, Mood::Good)
    }

    fn start_with(services: Vec<Service>, vms: Vec<ExternalWorkload>, mood: Mood) -> Self {
        let mut world = World::new();
        world.apply(services).apply(vms);
        world.state.stand_by();
        let World { state, slices } = world;
        slices.set(mood);
        let (state, mut registry) = (Arc::new(Mutex::new(state)), Registry::default());
        let metrics = QueueMetrics::register(&mut registry);
        let worker = Worker { state: state.clone(), slices: Slices::new(slices.client()), metrics };
        let worker = tokio::spawn(worker.work(Leadership::undisputed()));
        Self { state, slices, registry, worker }
    }

    fn apply<T: Resource>(&self, object: T)
    where
        State: Follow<T>,
    {
        self.state.lock().apply(&object);
    }

    /// How many endpoints each slice of a Service has.
    fn sizes(&self, service: &str) -> Vec<usize> {
        let slices = self.slices.all();
        let of_service = slices.iter().filter(|slice| slice.service_name() == Some(service));
        of_service.map(|slice| slice.endpoints.len()).collect()
    }

    async fn until(&self, service: &str, sizes: &[usize]) {
        let waiting = async {
            while self.sizes(service) != sizes {
                assert!(!self.worker.is_finished(), "the worker ended");
                sleep(Duration::from_millis(1)).await;
            }
        };
        let in_time = timeout(Duration::from_secs(600), waiting).await;
        assert!(in_time.is_ok(), "{service} has {:?}, wanted {sizes:?}", self.sizes(service));
    }

    fn metric(&self, name: &str) -> f64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("workqueue_{name}{{")));
        line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn slices_follow_the_workloads_while_the_watch_is_behind() {
    let running = Running::start(vec![web("web"), web("db")], (0..150).map(vm).collect());
    running.until("web", &[100, 50]).await;
    for number in 150..200 {
        running.apply(vm(number));
        sleep(Duration::from_millis(1)).await;
    }
    running.until("web", &[100, 100]).await;
    running.apply(vm(7).ready(false));
    sleep(Duration::from_secs(1)).await;
    let ready =
        running.slices.all().iter().flat_map(|slice| slice.endpoints.clone()).filter(|one| one.is_ready()).count();
    assert_eq!((ready, running.sizes("web"), running.sizes("db")), (199, vec![100, 100], vec![]));
    assert_eq!((running.metric("depth"), running.metric("retries_total")), (0.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn a_slice_that_another_changed_is_read_and_then_written() {
    let running = Running::start(vec![web("web")], vec![vm(1)]);
    running.until("web", &[1]).await;
    // The watch says nothing of either.
    let name = running.slices.objects()[0]["metadata"]["name"].as_str().unwrap().to_owned();
    running.slices.patch("ns", &name, &serde_json::json!({"endpoints": []})).unwrap();
    running.apply(vm(2));
    running.until("web", &[2]).await;
    running.slices.delete("ns", &name, None).unwrap();
    running.apply(vm(3));
    running.until("web", &[3]).await;
    running.slices.patch("ns", &name, &serde_json::json!({"endpoints": []})).unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_deletion_names_the_slice_that_was_meant() {
    let running = Running::start(vec![web("web")], vec![vm(1)]);
    running.until("web", &[1]).await;
    let name = running.slices.objects()[0]["metadata"]["name"].as_str().unwrap().to_owned();
    running.slices.patch("ns", &name, &serde_json::json!({"metadata": {"annotations": {"a": "b"}}})).unwrap();
    Follow::<ExternalWorkload>::delete(&mut *running.state.lock(), &vm(1).id());
    running.until("web", &[]).await;
    assert_eq!(running.metric("retries_total"), 1.0, "the first attempt knew an older version");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away_is_tried_until_it_is_back() {
    let away = [
        Mood::Silent,
        Mood::Refuses(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        Mood::Refuses(StatusCode::FORBIDDEN, "Forbidden"),
        Mood::Refuses(StatusCode::UNPROCESSABLE_ENTITY, "Invalid"),
    ];
    for mood in away {
        let running = Running::start_with(vec![web("web")], vec![vm(1)], mood.clone());
        sleep(Duration::from_secs(60 * 60)).await;
        assert_eq!(running.sizes("web"), [0; 0]);
        let retries = running.metric("retries_total");
        assert!((50.0..150.0).contains(&retries), "{mood:?}: {retries} retries in an hour");
        running.slices.set(Mood::Good);
        let back = Instant::now();
        running.until("web", &[1]).await;
        assert!(back.elapsed() < Duration::from_secs(80), "{:?}", back.elapsed());
        running.apply(vm(2));
        running.until("web", &[2]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_terminating_is_left_alone() {
    for refusal in [(StatusCode::FORBIDDEN, "NamespaceTerminating"), (StatusCode::NOT_FOUND, "NotFound")] {
        let running = Running::start_with(vec![web("web")], vec![vm(1)], Mood::Refuses(refusal.0, refusal.1));
        sleep(Duration::from_secs(60 * 60)).await;
        assert_eq!((running.metric("retries_total"), running.metric("drops_total")), (0.0, 1.0));
        // It exists again.
        running.slices.set(Mood::Good);
        running.apply(vm(2));
        running.until("web", &[2]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_changes_what_is_written_is_not_fought_at_full_speed() {
    let running = Running::start_with(vec![web("web"), web("db")], vec![vm(1)], Mood::Meddles);
    sleep(Duration::from_secs(60 * 60)).await;
    assert!(running.slices.writes() < 100, "{} writes in an hour", running.slices.writes());
    assert_eq!(running.sizes("web"), [1]);
    running.apply(vm(2));
    let told = Instant::now();
    running.until("web", &[2]).await;
    assert!(told.elapsed() < Duration::from_secs(2), "news is written soon all the same");
}

#[tokio::test(start_paused = true)]
async fn one_service_that_fails_does_not_delay_others() {
    let running = Running::start(vec![web("web")], vec![vm(1)]);
    running.until("web", &[1]).await;
    running.slices.set(Mood::Refuses(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"));
    running.apply(vm(2));
    sleep(Duration::from_secs(600)).await;
    running.slices.set(Mood::Good);
    running.apply(web("db"));
    running.apply(vm(3).label("app", "db"));
    let told = Instant::now();
    running.until("db", &[1]).await;
    assert!(told.elapsed() < Duration::from_millis(100), "{:?}", told.elapsed());
}

// Case 74.
#[tokio::test(start_paused = true)]
async fn a_process_that_may_not_lead_any_more_writes_nothing() {
    let leadership = Leadership::undisputed();
    sleep(Duration::from_secs(60 * 60 * 24 * 366)).await;
    assert!(!leadership.is_held());
    let mut world = World::new();
    world.apply([web("web")]).apply([vm(1)]);
    let (state, slices) = (Arc::new(Mutex::new(world.state)), world.slices);
    let client = Slices::new(slices.client());
    let worker = Worker { state: state.clone(), slices: client, metrics: QueueMetrics::default() };
    let stopped = timeout(Duration::from_secs(600), worker.work(leadership)).await;
    assert!(stopped.is_err());
    assert_eq!(slices.writes(), 0);
    // Dropped, it leaves a state that collects nothing.
    state.lock().apply(&vm(2));
    assert!(state.lock().take_dirty().is_empty());
}

#[tokio::test(start_paused = true)]
async fn errors_name_the_object_the_cause_and_what_to_do() {
    let slices = FakeSlices::default();
    let mut world = World { state: State::default(), slices: slices.clone() };
    world.state.lead();
    world.apply([web("web")]).apply([vm(1)]);
    let key = crate::core::key::Key { namespace: "ns".into(), name: "web".into() };
    let (service, plan) = world.state.plan(&key).unwrap();
    let (family, content) = &plan.creates[0];
    for (code, reason, advice) in [
        (StatusCode::FORBIDDEN, "Forbidden", "grant this process create, patch and delete of endpointslices"),
        (StatusCode::UNPROCESSABLE_ENTITY, "Invalid", "correct the Service or its ExternalWorkloads"),
    ] {
        slices.set(Mood::Refuses(code, reason));
        let error = Slices::new(slices.client()).create(&service, *family, content).await.unwrap_err().to_string();
        assert!(error.starts_with("cannot create EndpointSlice of Service ns/web: "), "{error}");
        assert!(error.contains(&format!("{reason} by the fake server")) && error.contains(advice), "{error}");
    }
}
