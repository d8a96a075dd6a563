use super::*;
use crate::{
    current::CurrentAuthority,
    testing::{Hands, metrics},
};
use axum::routing::post;
use linkerd_controller::tasks::Tasks;
use std::time::Duration;
use tower::ServiceExt;

fn address(number: u32) -> IpAddr {
    IpAddr::V4((0x0a00_0000 + number).into())
}

#[test]
fn an_address_has_a_burst_and_then_a_pace() {
    let (limit, now) = (RateLimit::default(), Instant::now());
    let admitted = |address, at: Instant| (0..1000).filter(|_| limit.admits(address, at)).count();
    assert_eq!(admitted(address(1), now), 256);
    assert_eq!(admitted(address(1), now + Duration::from_secs(1)), 16);
    assert_eq!(admitted(address(2), now), 256, "each has its own");
    assert_eq!(admitted(address(1), now + Duration::from_secs(1000)), 256);
    let mapped = "::ffff:10.0.0.3".parse().unwrap();
    assert_eq!(admitted(mapped, now) + admitted(address(3), now), 256, "one address in two forms");
}

#[test]
fn loopback_is_not_limited() {
    let (limit, now) = (RateLimit::default(), Instant::now());
    for loopback in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        assert!((0..1000).all(|_| limit.admits(loopback.parse().unwrap(), now)), "{loopback}");
    }
}

#[test]
fn addresses_that_have_gone_take_no_room() {
    let (limit, now) = (RateLimit::default(), Instant::now());
    assert!((0..10_000).all(|number| limit.admits(address(number), now)));
    let later = now + Duration::from_secs(60);
    (0..20_000).for_each(|number| {
        limit.admits(address(number % 7), later);
    });
    // The next growth sweeps.
    (20_000..40_000).for_each(|number| {
        limit.admits(address(number), later + Duration::from_secs(u64::from(number)));
    });
    assert!(limit.0.lock().capacity() < 1000, "{}", limit.0.lock().capacity());
}

#[tokio::test]
async fn who_asks_too_often_is_told_before_the_request_is_read() {
    let (tasks, _) = Tasks::new();
    let metrics = metrics(&tasks, &CurrentAuthority::default(), Hands::new().clock());
    let router = limited(Router::new().route("/", post(async || "served")), metrics);
    let call = |peer: &str| {
        let peer: SocketAddr = peer.parse().unwrap();
        let mut request = Request::post("/").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    };
    for _ in 0..256 {
        assert!(call("10.0.0.1:1").await.unwrap().headers().get("grpc-status").is_none());
    }
    let refused = call("10.0.0.1:2").await.unwrap();
    assert_eq!(refused.headers()["grpc-status"], "8");
    assert_eq!(refused.headers()["content-type"], "application/grpc");
    assert!(call("10.0.0.2:1").await.unwrap().headers().get("grpc-status").is_none());
    let text = tasks.metrics.encode();
    assert!(text.contains("identity_certificates_denied_total{reason=\"too_often\"} 1\n"), "{text}");
}
