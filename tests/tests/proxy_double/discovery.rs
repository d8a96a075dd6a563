//! Outbound targets: policy, profile and endpoints together.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use linkerd_proto::destination::{DestinationProfile, WeightedDst};
use linkerd_proto::meta::{Metadata, Resource, metadata};
use linkerd_proto::net::TcpAddress;
use linkerd_proto::outbound::{Backend, backend, traffic_spec};
use linkerd2_proxy_double::state::{Answer, Outbound, Resolution, Rpc, State, Target};
use linkerd2_proxy_double::{Endpoints, Lease, ProxyDouble};
use tonic::{Code, Status};

use crate::answers::{Authority, add, balanced, endpoint, endpoint_profile, pod, policy, remove};
use crate::fake::{End, Fake, Reply, Scripts, asked};
use crate::{DEADLINE, config};

const PATH: &str = "web.ns.svc.cluster.local:80";

/// An application that connects to one target.
struct Application {
    fake: Fake,
    double: ProxyDouble,
    target: Target,
    connection: Option<Lease<Target>>,
}

impl Application {
    async fn start(scripts: Scripts) -> Result<Self> {
        Self::connect(scripts, SocketAddr::from(([10, 96, 0, 1], 80))).await
    }

    async fn connect(scripts: Scripts, address: SocketAddr) -> Result<Self> {
        let fake = Fake::start(scripts).await?;
        let mut config = config(&fake, &Authority::make()?);
        config.timing.outbound_idle = Duration::from_millis(50);
        let double = ProxyDouble::start(config)?;
        let connection = Some(double.connect(address));
        Ok(Self { fake, double, target: address.into(), connection })
    }

    async fn reaches(&self, mut check: impl FnMut(&Outbound) -> bool) -> Result<()> {
        self.double.reaches(DEADLINE, |state| state.targets.get(&self.target).is_some_and(&mut check)).await
    }

    async fn resolves(&self, wanted: &Resolution) -> Result<()> {
        self.reaches(|known| &known.resolution(&self.target) == wanted).await
    }

    async fn has_endpoints(&self, lasts: &[u8]) -> Result<()> {
        let wanted: Vec<_> = lasts.iter().copied().map(pod).collect();
        self.reaches(|known| known.endpoints.get(PATH).is_some_and(|endpoints| endpoints.addresses() == wanted)).await
    }
}

/// A Service without profile of interest, and with these endpoints.
fn service(get: impl Fn(usize) -> Reply<linkerd_proto::destination::Update> + Send + Sync + 'static) -> Scripts {
    Scripts {
        policy: Box::new(|_, _| Reply::one(balanced(PATH))),
        profile: Box::new(|_, _| Reply::one(DestinationProfile::default())),
        get: Box::new(move |nth, _| get(nth)),
        ..Scripts::default()
    }
}

fn not_found<T>() -> Reply<T> {
    Reply::error(Status::not_found("no such service"))
}

#[tokio::test]
async fn a_service_is_asked_for_in_parallel_and_its_endpoints_after_that() -> Result<()> {
    let application = Application::start(service(|_| Reply::one(add(&[1, 2])))).await?;
    application.has_endpoints(&[1, 2]).await?;
    application.resolves(&Resolution::Balanced(vec![PATH.to_owned()])).await?;
    let asked = application.fake.asked();
    let address = TcpAddress::from(SocketAddr::from(([10, 96, 0, 1], 80)));
    assert_eq!(asked.policy[0].target, Some(traffic_spec::Target::Addr(address)));
    assert_eq!(asked.policy[0].source_workload, "{\"ns\":\"ns\", \"pod\":\"web\"}\n");
    assert_eq!((asked.profile[0].path.as_str(), asked.profile[0].scheme.as_str()), ("10.96.0.1:80", ""));
    assert_eq!(asked.get[0].path, PATH);
    let context = "{\"ns\":\"ns\", \"nodeName\":\"\", \"pod\":\"web\"}\n";
    assert!(asked.profile.iter().chain(&asked.get).all(|request| request.context_token == context));
    Ok(())
}

#[tokio::test]
async fn without_policy_the_profile_or_else_the_original_destination_is_used() -> Result<()> {
    let policy = || Box::new(|_: usize, _: &_| not_found());
    let profile = Box::new(|_: usize, _: &_| Reply::one(endpoint_profile(7)));
    let application = Application::start(Scripts { policy: policy(), profile, ..Scripts::default() }).await?;
    application.resolves(&Resolution::Endpoint(Box::new(endpoint(7)))).await?;

    let profile = Box::new(|_: usize, _: &_| Reply::error(Status::invalid_argument("no name")));
    let application = Application::start(Scripts { policy: policy(), profile, ..Scripts::default() }).await?;
    application.resolves(&Resolution::Original).await?;
    let known = application.double.state().targets[&application.target].clone();
    assert_eq!((known.policy, known.profile), (Answer::Absent(Code::NotFound), Answer::Absent(Code::InvalidArgument)));
    Ok(())
}

#[tokio::test]
async fn an_address_outside_the_cluster_has_no_profile() -> Result<()> {
    let policy = Box::new(|_: usize, _: &_| not_found());
    let scripts = Scripts { policy, ..Scripts::default() };
    let application = Application::connect(scripts, SocketAddr::from(([8, 8, 8, 8], 443))).await?;
    application.resolves(&Resolution::Original).await?;
    assert_eq!(application.fake.asked().profile.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_connection_waits_for_policy_and_profile_both() -> Result<()> {
    let policy = Box::new(|_: usize, _: &_| Reply::one(balanced(PATH)));
    let application = Application::start(Scripts { policy, ..Scripts::default() }).await?;
    application.reaches(|known| known.policy.value().is_some()).await?;
    application.resolves(&Resolution::Waiting).await?;
    let profile = Box::new(|_: usize, _: &_| Reply::one(DestinationProfile::default()));
    let application = Application::start(Scripts { profile, ..Scripts::default() }).await?;
    application.reaches(|known| known.profile.value().is_some()).await?;
    application.resolves(&Resolution::Waiting).await
}

#[tokio::test]
async fn a_refused_policy_closes_the_connection() -> Result<()> {
    let policy = Box::new(|_: usize, _: &_| Reply::error(Status::failed_precondition("no")));
    let application = Application::start(Scripts { policy, ..Scripts::default() }).await?;
    application.resolves(&Resolution::Closed).await
}

#[tokio::test]
async fn a_profile_with_overrides_wins_over_the_policy() -> Result<()> {
    let profile = || {
        let authority = "other.ns.svc.cluster.local:80".to_owned();
        let dst_overrides = vec![WeightedDst { authority, weight: 1, backend_ref: None }];
        let fully_qualified_name = "web.ns.svc.cluster.local".to_owned();
        Reply::one(DestinationProfile { fully_qualified_name, dst_overrides, ..DestinationProfile::default() })
    };
    let scripts = Scripts { profile: Box::new(move |_, _| profile()), ..service(|_| Reply::one(add(&[1]))) };
    let application = Application::start(scripts).await?;
    application.resolves(&Resolution::Balanced(vec!["other.ns.svc.cluster.local:80".to_owned()])).await
}

#[tokio::test]
async fn a_get_that_ends_is_there_again_and_its_first_addition_replaces() -> Result<()> {
    let application = Application::start(service(|nth| match nth {
        1 => Reply(vec![add(&[1, 2])], End::Error(Status::unavailable("restart"))),
        2 => Reply(vec![remove(1)], End::Ok),
        _ => Reply::one(add(&[2, 3])),
    }))
    .await?;
    application.has_endpoints(&[2, 3]).await?;
    let counter = application.double.state().counter(Rpc::Get);
    assert_eq!((counter.requests, counter.messages, counter.ends), (3, 3, 1));
    Ok(())
}

#[tokio::test]
async fn an_invalid_argument_breaks_a_get_until_the_target_was_unused() -> Result<()> {
    let mut application = Application::start(service(|nth| match nth {
        1 => Reply(vec![add(&[1])], End::Error(Status::invalid_argument("no"))),
        _ => Reply::one(add(&[2])),
    }))
    .await?;
    let is_broken = |endpoints: &Endpoints| endpoints.broken == Some(Code::InvalidArgument) && endpoints.set.is_empty();
    application.reaches(|known| known.endpoints.get(PATH).is_some_and(is_broken)).await?;
    application.connection = None;
    let target = application.target.clone();
    let is_forgotten = |state: &State| !state.targets.contains_key(&target);
    application.double.reaches(DEADLINE, is_forgotten).await?;
    application.connection = Some(application.double.connect(target.clone()));
    application.has_endpoints(&[2]).await
}

#[tokio::test]
async fn a_policy_that_changes_its_backend_changes_what_is_watched() -> Result<()> {
    let scripts = Scripts {
        policy: Box::new(|_, _| Reply(vec![balanced("old.ns.svc.cluster.local:80"), balanced(PATH)], End::Open)),
        ..service(|_| Reply::one(add(&[1])))
    };
    let application = Application::start(scripts).await?;
    application.has_endpoints(&[1]).await?;
    application.reaches(|known| known.endpoints.len() == 1).await
}

#[tokio::test]
async fn policies_that_turn_into_errors_are_problems() -> Result<()> {
    let nameless = Resource { kind: "Service".to_owned(), name: "web".to_owned(), ..Resource::default() };
    let backend = Backend {
        metadata: Some(Metadata { kind: Some(metadata::Kind::Resource(nameless)) }),
        queue: None,
        kind: Some(backend::Kind::Forward(endpoint(1))),
    };
    let scripts = Scripts { policy: Box::new(move |_, _| Reply::one(policy(backend.clone()))), ..Scripts::default() };
    let application = Application::start(scripts).await?;
    application.reaches(|known| known.policy.value().is_some()).await?;
    let problems = application.double.state().problems;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("a backend without queue"), "{problems:?}");
    assert_eq!(problems[1], "an outbound policy with metadata without group: Service web");
    Ok(())
}

#[tokio::test]
async fn an_unused_target_is_forgotten_and_its_streams_end() -> Result<()> {
    let mut application = Application::start(service(|_| Reply::one(add(&[1])))).await?;
    application.has_endpoints(&[1]).await?;
    application.connection = None;
    application.double.reaches(DEADLINE, |state| state.targets.is_empty()).await?;
    application.connection = Some(application.double.connect(application.target.clone()));
    application.has_endpoints(&[1]).await?;
    let asked = asked(&application.fake, |asked| asked.get.len() == 2).await?;
    assert_eq!((asked.policy.len(), asked.profile.len()), (2, 2));
    Ok(())
}
