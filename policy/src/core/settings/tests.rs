use super::*;
use crate::core::accrual::{Backoff, Ratio};
use std::collections::BTreeMap;

fn read(annotations: &[(&str, &str)]) -> (Settings, Vec<InvalidAnnotation>) {
    let annotations: BTreeMap<&str, &str> = annotations.iter().copied().collect();
    Settings::read(|key| annotations.get(key).copied())
}

fn accrual(annotations: &[(&str, &str)]) -> Option<FailureAccrual> {
    let keys: Vec<String> = annotations.iter().map(|(key, _)| full_key(key)).collect();
    let annotations: Vec<(&str, &str)> =
        keys.iter().zip(annotations).map(|(key, (_, value))| (key.as_str(), *value)).collect();
    read(&annotations).0.accrual
}

fn full_key(key: &str) -> String {
    match key {
        "mode" => "balancer.linkerd.io/failure-accrual".to_owned(),
        _ if key.starts_with("consecutive") => format!("balancer.linkerd.io/failure-accrual-{key}"),
        _ => format!("balancer.alpha.linkerd.io/failure-accrual-{key}"),
    }
}

fn backoff(min: u64, max: u64) -> Backoff {
    Backoff { min: Duration::from_secs(min), max: Duration::from_secs(max), jitter: Ratio::HALF }
}

#[test]
fn a_service_without_annotations_has_no_settings() {
    assert_eq!(read(&[]), (Settings::default(), vec![]));
}

/// Case 55, and the ideal of 3.4: a zero timeout is none.
#[test]
fn timeouts_are_read_and_zero_is_none() {
    let (settings, invalid) = read(&[(TIMEOUT_REQUEST, " 5s "), (TIMEOUT_RESPONSE, "0"), (TIMEOUT_IDLE, "0s")]);
    let expected = Timeouts { request: Some(Duration::from_secs(5)), response: None, idle: None };
    assert_eq!((settings.timeouts, invalid), (expected, vec![]));
}

/// Case 56.
#[test]
fn an_invalid_value_leaves_out_its_group_alone() {
    let (settings, invalid) =
        read(&[(TIMEOUT_REQUEST, "5"), (TIMEOUT_RESPONSE, "10s"), (RETRY_HTTP, "5xx"), (PENALIZE, "maybe")]);
    assert_eq!(settings.timeouts, Timeouts::default());
    assert!(settings.http_retry.is_some());
    assert_eq!(settings.load, Load::PeakEwma);
    let keys: Vec<_> = invalid.iter().map(|invalid| invalid.key).collect();
    assert_eq!(keys, [TIMEOUT_REQUEST, PENALIZE]);
}

/// Cases 51 and 54.
#[test]
fn retries_are_asked_for_by_a_limit_a_timeout_or_statuses() {
    let retry = |annotations: &[(&str, &str)]| read(annotations).0.http_retry;
    let statuses = StatusRanges(vec![(500, 599)]);
    let expected = HttpRetry { limit: NonZero::<u16>::MIN, timeout: None, statuses };
    assert_eq!(retry(&[(RETRY_HTTP, "5xx")]), Some(expected));
    assert_eq!(retry(&[(RETRY_LIMIT, "0")]), None);
    assert_eq!(retry(&[(RETRY_LIMIT, "3")]).unwrap().limit.get(), 3);
    assert_eq!(retry(&[(RETRY_TIMEOUT, "1s")]).unwrap().timeout, Some(Duration::from_secs(1)));
    assert_eq!(retry(&[(RETRY_LIMIT, " 3")]), None, "the limit is not trimmed");
    assert_eq!(retry(&[(RETRY_LIMIT, "3"), (RETRY_HTTP, "5xx, 404")]), None);
}

/// Case 57, and the ideal of 3.4: no failures in a row are no limit.
#[test]
fn a_consecutive_breaker_has_defaults_and_bounds() {
    let consecutive = |max_failures, backoff| Some(FailureAccrual::Consecutive { max_failures, backoff });
    assert_eq!(accrual(&[("mode", "consecutive")]), consecutive(7, backoff(1, 60)));
    let set = [("mode", "consecutive"), ("consecutive-max-failures", "3"), ("consecutive-min-penalty", "2s")];
    assert_eq!(accrual(&set), consecutive(3, backoff(2, 60)));
    assert_eq!(accrual(&[("consecutive-max-failures", "3")]), None);
    assert_eq!(accrual(&[("mode", "true")]), None);
    for (key, bad) in [
        ("consecutive-min-penalty", "61s"),
        ("consecutive-max-penalty", "0s"),
        ("consecutive-jitter-ratio", "101"),
        ("consecutive-jitter-ratio", "NaN"),
        ("consecutive-max-failures", "0"),
    ] {
        assert_eq!(accrual(&[("mode", "consecutive"), (key, bad)]), None, "{key}: {bad}");
    }
    // Case 59: the keys of success rates mean nothing here.
    assert_eq!(accrual(&[("mode", "consecutive"), ("success-rate-threshold", "7")]), consecutive(7, backoff(1, 60)));
}

/// Cases 58 and 59.
#[test]
fn a_unified_breaker_has_defaults_and_bounds() {
    let unified = |threshold: f64, window, honor_retry_after| {
        Some(FailureAccrual::Unified {
            success_rate_threshold: Ratio::within(threshold, 0.0, 1.0).unwrap(),
            window: Duration::from_millis(window),
            min_requests: 5,
            max_failures: 7,
            backoff: backoff(1, 60),
            honor_retry_after,
        })
    };
    assert_eq!(accrual(&[("mode", "unified")]), unified(0.8, 10_000, false));
    assert_eq!(accrual(&[("mode", "unified"), ("honor-retry-after", "true")]), unified(0.8, 10_000, true));
    assert_eq!(accrual(&[("mode", "unified"), ("honor-retry-after", "maybe")]), unified(0.8, 10_000, false));
    assert_eq!(accrual(&[("mode", "unified"), ("success-rate-treshold", "9")]), unified(0.8, 10_000, false));
    let off = [("mode", "unified"), ("success-rate-threshold", "0"), ("success-rate-window", "5ms")];
    assert_eq!(accrual(&off), unified(0.0, 5, false));
    for (key, bad) in [
        ("success-rate-threshold", "1.5"),
        ("success-rate-threshold", "-0.1"),
        ("success-rate-window", "0s"),
        ("success-rate-window", "9ms"),
        ("success-rate-min-requests", "1000001"),
    ] {
        assert_eq!(accrual(&[("mode", "unified"), (key, bad)]), None, "{key}: {bad}");
    }
    let ceiling = [("mode", "unified"), ("success-rate-threshold", "0"), ("success-rate-min-requests", "1000001")];
    assert_eq!(accrual(&ceiling), None, "proxies enforce the ceiling whatever the threshold");
}

/// Case 60.
#[test]
fn failures_are_penalized_on_request() {
    let load = |annotations: &[(&str, &str)]| read(annotations).0.load;
    let penalty = |penalty, max_retry_after| Load::PenaltyPeakEwma {
        penalty: Duration::from_secs(penalty),
        max_retry_after: Duration::from_secs(max_retry_after),
    };
    assert_eq!(load(&[(PENALIZE, "true")]), penalty(5, 300));
    assert_eq!(load(&[(PENALIZE, "true"), (PENALTY, "2s"), (MAX_RETRY_AFTER, "1m")]), penalty(2, 60));
    for off in [&[(PENALIZE, "maybe")][..], &[(PENALIZE, "")], &[(PENALIZE, "true"), (PENALTY, "50d")], &[]] {
        assert_eq!(load(off), Load::PeakEwma, "{off:?}");
    }
}
