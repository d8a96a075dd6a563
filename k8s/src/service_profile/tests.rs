use super::*;
use serde_json::json;

fn spec(value: Value) -> ServiceProfileSpec {
    let profile = json!({"metadata": {"name": "web.ns.svc.cluster.local", "namespace": "ns"}, "spec": value});
    serde_json::from_value::<ServiceProfile>(profile).unwrap().spec
}

fn request(value: Value) -> Result<RequestMatch, String> {
    RequestMatch::read(&value).map_err(|error| error.to_string())
}

fn response(value: Value) -> Result<ResponseMatch, String> {
    ResponseMatch::read(&value).map_err(|error| error.to_string())
}

fn problems(spec: &ServiceProfileSpec) -> Vec<String> {
    spec.problems.iter().map(Problem::to_string).collect()
}

fn method(method: &str) -> RequestMatch {
    RequestMatch::Method(method.to_owned())
}

fn path(regex: &str) -> RequestMatch {
    RequestMatch::PathRegex(regex.to_owned())
}

#[test]
fn a_profile_without_spec_asks_for_nothing() {
    for profile in [json!({"metadata": {"name": "a"}}), json!({"spec": null}), json!({"spec": {}})] {
        let profile: ServiceProfile = serde_json::from_value(profile).unwrap();
        assert_eq!(profile.spec, ServiceProfileSpec::default());
    }
}

// Cases 1 and 2.
#[test]
fn fields_of_a_condition_must_all_hold_in_order() {
    let condition = json!({"all": [{"method": "GET"}, {"not": {"pathRegex": "/private/.*"}}]});
    let not_private = RequestMatch::Not(Box::new(path("/private/.*")));
    assert_eq!(request(condition), Ok(RequestMatch::All(vec![method("GET"), not_private])));
    let condition = json!({"pathRegex": "/my/path", "method": "GET"});
    assert_eq!(request(condition), Ok(RequestMatch::All(vec![method("GET"), path("/my/path")])));
    assert_eq!(request(json!({"method": "GET", "pathRegex": "", "any": null})), Ok(method("GET")));
    assert_eq!(request(json!({"Method": "GET"})), Ok(method("GET")));
    assert_eq!(request(json!({"not": {"method": "GET"}})), Ok(RequestMatch::Not(Box::new(method("GET")))));
}

#[test]
fn an_empty_list_counts_as_set() {
    assert_eq!(request(json!({"all": []})), Ok(RequestMatch::All(vec![])));
    assert_eq!(response(json!({"any": []})), Ok(ResponseMatch::Any(vec![])));
}

#[test]
fn a_condition_that_says_nothing_is_invalid() {
    for nothing in [json!({}), json!({"method": null}), json!({"method": "", "all": null})] {
        assert_eq!(request(nothing), Err("A request match must have a field set".to_owned()));
    }
    assert_eq!(response(json!({"status": null})), Err("A response match must have a field set".to_owned()));
    assert_eq!(request(json!({"all": [null]})), Err(r#"null condition "all""#.to_owned()));
    assert_eq!(response(json!({"any": [null]})), Err(r#"null condition "any""#.to_owned()));
}

// Cases 4, 5 and 6.
#[test]
fn a_missing_bound_is_the_other_one() {
    let bounds = |status: Value| match response(json!({ "status": status })) {
        Ok(ResponseMatch::Status(range)) => Ok(range.bounds()),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    assert_eq!(bounds(json!({"min": 400, "max": 499})), Ok((400, 499)));
    assert_eq!(bounds(json!({"min": 200})), Ok((200, 200)));
    assert_eq!(bounds(json!({"max": 404})), Ok((404, 404)));
    assert_eq!(bounds(json!({})), Ok((0, 0)));
    assert_eq!(bounds(json!({"min": 1})), Err("Range minimum must be between 100 and 599, inclusive".to_owned()));
    assert_eq!(bounds(json!({"max": 600})), Err("Range maximum must be between 100 and 599, inclusive".to_owned()));
    assert_eq!(bounds(json!({"min": 3e2, "max": 200})), Err("Range maximum cannot be smaller than minimum".to_owned()));
    assert_eq!(bounds(json!({"min": -1})), Err("min must be an integer from 0 to 4294967295".to_owned()));
}

// Case 7.
#[test]
fn a_bad_route_leaves_the_others() {
    let spec = spec(json!({"routes": [
        {"name": "empty", "condition": {}}, null, "text", {"name": "none"},
        {"name": "array", "condition": {"not": [{"method": "GET"}]}},
        {"name": "good", "condition": {"method": "GET"}, "isRetryable": true},
    ]}));
    assert_eq!(spec.routes.len(), 1);
    assert_eq!((spec.routes[0].name.as_str(), spec.routes[0].is_retryable), ("good", true));
    assert_eq!(
        problems(&spec),
        [
            "spec.routes[0]: A request match must have a field set",
            "spec.routes[1]: route must be an object",
            "spec.routes[2]: route must be an object",
            "spec.routes[3]: has no condition",
            "spec.routes[4]: not must be an object",
        ]
    );
}

#[test]
fn a_bad_response_class_leaves_its_route_and_the_other_classes() {
    let spec = spec(json!({"routes": [{"name": "r", "condition": {"method": "GET"}, "responseClasses": [
        {"condition": {"status": {"min": 999}}}, {"condition": null},
        {"condition": {"status": {"min": 500, "max": 599}}, "isFailure": true},
    ]}]}));
    assert_eq!(spec.routes[0].response_classes.len(), 1);
    assert!(spec.routes[0].response_classes[0].is_failure);
    assert_eq!(problems(&spec)[1], "spec.routes[0].responseClasses[1]: has no condition");
}

// Case 8.
#[test]
fn only_a_positive_timeout_is_kept() {
    let timeout = |timeout: Value| {
        let spec = spec(json!({"routes": [{"name": "r", "condition": {"method": "GET"}, "timeout": timeout}]}));
        (spec.routes[0].timeout, spec.problems.len())
    };
    assert_eq!(timeout(json!("200ms")), (Some(Duration::from_millis(200)), 0));
    for none in [json!(null), json!(""), json!("0s"), json!("0")] {
        assert_eq!(timeout(none), (None, 0));
    }
    for bad in [json!("one-second"), json!(5), json!("-5s")] {
        assert_eq!(timeout(bad), (None, 1));
    }
}

// Case 9.
#[test]
fn a_budget_with_a_bad_ttl_gets_the_default_one() {
    let budget = |ttl: Value| {
        let budget = json!({"retryRatio": 0.2, "minRetriesPerSecond": 10, "ttl": ttl});
        let spec = spec(json!({ "retryBudget": budget }));
        let budget = spec.retry_budget.unwrap();
        assert_eq!((budget.retry_ratio, budget.min_retries_per_second), (0.2, 10));
        (budget.ttl, spec.problems.len())
    };
    assert_eq!(budget(json!("30s")), (Some(Duration::from_secs(30)), 0));
    assert_eq!(budget(json!("0s")), (None, 0));
    assert_eq!(budget(json!("-1s")), (None, 1));
    for bad in [json!("foo"), json!(""), json!(null), json!([])] {
        assert_eq!(budget(bad).0, Some(DEFAULT_TTL));
    }
    let spec = spec(json!({"retryBudget": {"retryRatio": "x"}}));
    assert_eq!((spec.retry_budget, spec.problems.len()), (None, 1));
}

// Cases 10 and 35.
#[test]
fn weights_are_thousandths_and_never_negative() {
    let spec = spec(json!({"dstOverrides": [
        {"authority": "a.ns.svc.cluster.local", "weight": "500m"}, {"authority": "b:9090", "weight": 1},
        {"authority": "c", "weight": "1500u"}, {"authority": "d", "weight": "-1"}, {"weight": 100},
        {"authority": "f"}, {"authority": "g", "weight": "heavy"}, null,
    ]}));
    let weights: Vec<_> = spec.dst_overrides.iter().map(|target| target.weight_thousandths).collect();
    assert_eq!(weights, [500, 1_000, 2, 0, 100_000, 0]);
    assert_eq!(spec.dst_overrides[4].authority, "");
    assert_eq!(spec.problems.len(), 2);
}

// Case 12.
#[test]
fn opaque_ports_are_ignored_in_any_shape() {
    for ports in [json!(["3306"]), json!({"3306": {}}), json!(3306)] {
        assert_eq!(spec(json!({ "opaquePorts": ports })), ServiceProfileSpec::default());
    }
}

#[test]
fn trees_that_are_too_deep_are_left_out() {
    fn nested(levels: usize, wrap: fn(Value) -> Value) -> Vec<Problem> {
        let condition = (1..levels).fold(json!({"method": "GET"}), |child, _| wrap(child));
        spec(json!({"routes": [{"name": "r", "condition": condition}]})).problems
    }
    let not = |child| json!({ "not": child });
    let all = |child| json!({ "all": [child] });
    assert_eq!(nested(MAX_DEPTH, not), []);
    assert_eq!(nested(MAX_DEPTH + 1, not)[0].reason, Reason::Match(InvalidMatch::TooDeep));
    assert_eq!(nested(48, all), []);
    assert_eq!(nested(49, all)[0].reason, Reason::TooDeepForProxies);
}
