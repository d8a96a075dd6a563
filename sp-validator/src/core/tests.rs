use super::*;
use serde_json::json;

const NAME: &str = "web-svc.emojivoto.svc.cluster.local";

fn judge(spec: Value) -> Result<Vec<String>, String> {
    judge_object(json!({
        "apiVersion": "linkerd.io/v1alpha2",
        "kind": "ServiceProfile",
        "metadata": {"name": NAME, "namespace": "emojivoto"},
        "spec": spec,
    }))
}

fn judge_object(object: Value) -> Result<Vec<String>, String> {
    validate(Some(&object)).map_err(|rejection| rejection.to_string())
}

fn judge_route(route: Value) -> Result<Vec<String>, String> {
    judge(json!({ "routes": [route] }))
}

fn judge_condition(condition: Value) -> Result<Vec<String>, String> {
    judge_route(json!({"name": "r", "condition": condition}))
}

fn judge_class(class: Value) -> Result<Vec<String>, String> {
    judge_route(json!({"name": "r", "condition": {"method": "GET"}, "responseClasses": [class]}))
}

fn judge_budget(budget: Value) -> Result<Vec<String>, String> {
    judge(json!({ "retryBudget": budget }))
}

#[track_caller]
fn assert_silent(verdict: Result<Vec<String>, String>) {
    assert_eq!(verdict, Ok(vec![]));
}

#[track_caller]
fn assert_broken(verdict: Result<Vec<String>, String>, rule: &str) {
    assert_eq!(verdict, Err(format!("ServiceProfile {NAME:?} {rule}")));
}

#[track_caller]
fn assert_undecodable(verdict: Result<Vec<String>, String>, why: &str) {
    let prefix = "failed to validate ServiceProfile: error unmarshaling JSON: while decoding JSON: ";
    assert_eq!(verdict, Err(format!("{prefix}{why}")));
}

#[track_caller]
fn assert_warned(verdict: Result<Vec<String>, String>, warning: &str) {
    let warnings = verdict.unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains(warning), "{warnings:?} lacks {warning:?}");
}

// Case 13.
#[test]
fn valid_profiles_pass_in_silence() {
    assert_silent(judge_condition(json!({"method": "GET", "pathRegex": "/books/[^/]*"})));
    assert_silent(judge_route(json!({"name": "r", "condition": {"method": "GET"}, "timeout": "1ns"})));
    assert_silent(judge(json!({})));
    assert_silent(judge(Value::Null));
    assert_silent(judge_object(json!({"metadata": {"name": NAME}})));
    assert_silent(judge_condition(json!({"any": [{"all": [{"method": "GET"}, {"not": {"pathRegex": "/x"}}]}]})));
    let status = json!({"status": {"min": 500, "max": 599}});
    let nested = json!({"all": [status, {"not": status}, {"any": [status]}]});
    assert_silent(judge_class(json!({"condition": nested, "isFailure": true})));
    assert_silent(judge_budget(json!({"retryRatio": 0.2, "minRetriesPerSecond": 10, "ttl": "10s"})));
}

#[test]
fn the_profiles_of_the_demo_application_pass_in_silence() {
    let manifest = include_str!("../../../examples/voting/service-profiles.yaml");
    let profiles: Vec<Value> = serde_saphyr::from_multiple(manifest).unwrap();
    assert_eq!(profiles.len(), 2);
    profiles.into_iter().for_each(|profile| assert_silent(judge_object(profile)));
}

// Case 14.
#[test]
fn a_name_is_a_dns_subdomain() {
    let message = r#"ServiceProfile "^.^" has invalid name: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#;
    assert_eq!(judge_object(json!({"metadata": {"name": "^.^"}})), Err(message.to_owned()));
    let long = judge_object(json!({"metadata": {"name": "a".repeat(254)}}));
    assert!(long.unwrap_err().ends_with("has invalid name: must be no more than 253 characters"));
}

// Case 34.
#[test]
fn a_missing_object_has_an_empty_name() {
    for object in [None, Some(&Value::Null)] {
        let message = validate(object).unwrap_err().to_string();
        assert!(message.starts_with(r#"ServiceProfile "" has invalid name: "#), "{message}");
    }
}

// Case 15.
#[test]
fn unknown_fields_are_rejected_but_in_metadata() {
    let unknown = r#"json: unknown field "foo""#;
    assert_undecodable(judge(json!({"foo": 1})), unknown);
    assert_undecodable(judge_route(json!({"name": "r", "foo": 1})), unknown);
    assert_undecodable(judge_condition(json!({"foo": 1})), unknown);
    assert_undecodable(judge_condition(json!({"all": [{"not": {"foo": null}}]})), unknown);
    assert_undecodable(judge_class(json!({"condition": {"status": {"foo": 1}}})), unknown);
    assert_undecodable(judge_object(json!({"metadata": {"name": NAME}, "foo": 1})), unknown);
    assert_silent(judge_object(json!({"metadata": {"name": NAME, "foo": {"bar": 1}}})));
}

// Case 21, and rule 1.
#[test]
fn wrong_types_are_rejected_with_their_path() {
    let status = |status: Value| judge_class(json!({"condition": {"all": [{"not": {"status": status}}]}}));
    assert_undecodable(
        status(json!({"min": false})),
        "json: cannot unmarshal bool into Go struct field \
         Range.spec.routes.responseClasses.condition.all.not.status.min of type uint32",
    );
    assert_undecodable(
        judge_budget(json!({"minRetriesPerSecond": -5})),
        "json: cannot unmarshal number -5 into Go struct field \
         RetryBudget.spec.retryBudget.minRetriesPerSecond of type uint32",
    );
    assert_undecodable(
        judge_budget(json!({"minRetriesPerSecond": 1.5})),
        "json: cannot unmarshal number 1.5 into Go struct field \
         RetryBudget.spec.retryBudget.minRetriesPerSecond of type uint32",
    );
    assert_undecodable(
        judge(json!({"routes": ["a"]})),
        "json: cannot unmarshal string into Go struct field ServiceProfileSpec.spec.routes of type v1alpha2.RouteSpec",
    );
    assert_undecodable(
        judge_condition(json!({"not": [{"method": "GET"}]})),
        "json: cannot unmarshal array into Go struct field \
         RequestMatch.spec.routes.condition.not of type v1alpha2.RequestMatch",
    );
    assert_undecodable(
        judge_route(json!({"name": "r", "condition": {"method": "GET"}, "isRetryable": 1})),
        "json: cannot unmarshal number into Go struct field RouteSpec.spec.routes.isRetryable of type bool",
    );
    assert_undecodable(
        judge_object(json!("text")),
        "json: cannot unmarshal string into Go value of type v1alpha2.ServiceProfile",
    );
}

#[test]
fn a_wrong_type_comes_before_every_rule_and_fields_in_alphabetical_order() {
    let object = json!({"metadata": {"name": "^.^"}, "spec": {"routes": [null], "foo": 1, "bar": 1}});
    assert_undecodable(judge_object(object), r#"json: unknown field "bar""#);
}

// Case 16.
#[test]
fn a_route_needs_a_name_and_a_condition() {
    assert_broken(judge_route(Value::Null), "has a null route");
    assert_broken(judge_route(json!({"condition": {"method": "GET"}})), "has a route with no name");
    assert_broken(judge_route(json!({"name": "", "condition": {"method": "GET"}})), "has a route with no name");
    assert_broken(judge_route(json!({"name": "r"})), "has a route with no condition");
    assert_broken(judge_condition(Value::Null), "has a route with no condition");
}

// Cases 17 and 18.
#[test]
fn a_condition_says_something() {
    let invalid = "has a route with an invalid condition: ";
    let empty = format!("{invalid}A request match must have a field set");
    assert_broken(judge_condition(json!({"method": null})), &empty);
    assert_broken(judge_condition(json!({})), &empty);
    assert_broken(judge_condition(json!({"any": [{"all": [{}]}]})), &empty);
    assert_broken(judge_condition(json!({"all": [null]})), &format!(r#"{invalid}null condition "all""#));
    assert_broken(judge_condition(json!({"any": [null]})), &format!(r#"{invalid}null condition "any""#));
    let invalid = "has a response class with an invalid condition: ";
    let class = |condition: Value| judge_class(json!({ "condition": condition }));
    assert_broken(class(json!({"all": [null]})), &format!(r#"{invalid}null condition "all""#));
    assert_broken(class(json!({"any": [null]})), &format!(r#"{invalid}null condition "any""#));
}

// Cases 19 and 20.
#[test]
fn a_response_class_has_a_valid_condition() {
    assert_broken(judge_class(Value::Null), "has a null response class");
    assert_broken(judge_class(json!({"condition": null})), "has a response class with no condition");
    let broken = |condition: Value, why: &str| {
        let rule = format!("has a response class with an invalid condition: {why}");
        assert_broken(judge_class(json!({ "condition": condition })), &rule);
    };
    broken(json!({"all": [{"status": null}]}), "A response match must have a field set");
    broken(json!({"status": {"max": 600}}), "Range maximum must be between 100 and 599, inclusive");
    broken(json!({"not": {"status": {"min": 1}}}), "Range minimum must be between 100 and 599, inclusive");
    broken(json!({"any": [{"status": {"min": 300, "max": 200}}]}), "Range maximum cannot be smaller than minimum");
}

// Case 22.
#[test]
fn a_retry_budget_has_a_ratio_and_a_ttl() {
    let ratio = judge_budget(json!({"retryRatio": -0.2, "minRetriesPerSecond": 1, "ttl": "10s"}));
    assert_broken(ratio, "RetryBudget RetryRatio must be non-negative: -0.200000");
    let budget = |ttl: Value| judge_budget(json!({"retryRatio": 0.2, "minRetriesPerSecond": 1, "ttl": ttl}));
    assert_broken(budget(Value::Null), "RetryBudget missing TTL field");
    assert_broken(budget(json!("")), "RetryBudget missing TTL field");
    assert_broken(budget(json!("foo")), r#"RetryBudget: time: invalid duration "foo""#);
    assert_warned(budget(json!("10ms")), "ttl is not from 1s to 60s");
}

// Cases 23 and 34.
#[test]
fn a_timeout_is_a_duration() {
    let timeout =
        |timeout: Value| judge_route(json!({"name": "r", "condition": {"method": "GET"}, "timeout": timeout}));
    let invalid = "has a route with an invalid timeout: ";
    assert_broken(timeout(json!("one-second")), &format!(r#"{invalid}time: invalid duration "one-second""#));
    assert_broken(timeout(json!(5)), &format!(r#"{invalid}time: missing unit in duration "5""#));
    assert_silent(timeout(json!("")));
    assert_warned(timeout(json!("-5s")), "spec.routes[0].timeout is ignored: must not be negative");
}

// Case 34.
#[test]
fn the_case_of_field_names_does_not_matter() {
    assert_broken(judge(json!({"Routes": [{"name": "x"}]})), "has a route with no condition");
    assert_silent(judge_route(json!({"NAME": 5, "condition": {"Any": [{"Method": "GET"}]}})));
}

// Case 24.
#[test]
fn a_bad_regex_is_allowed_with_a_warning() {
    assert_warned(judge_condition(json!({"pathRegex": "("})), r#"pathRegex "(" is no regular expression"#);
    assert_silent(judge_condition(json!({"not": {"method": "GET"}})));
}

// Case 35.
#[test]
fn a_weight_is_a_quantity() {
    let target = |target: Value| judge(json!({ "dstOverrides": [target] }));
    assert_undecodable(
        target(json!({"authority": "a", "weight": "heavy"})),
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
    assert_silent(target(json!({"authority": "a.ns.svc.cluster.local", "weight": "1500u"})));
    assert_silent(target(json!({"authority": "b.ns:9090", "weight": 1})));
    assert_warned(target(json!({"authority": "a", "weight": "-1"})), "its weight is not positive");
    assert_warned(target(json!({"weight": 1})), r#"authority "" is neither"#);
    for authority in ["c:x", "10.1.2.3", "-a"] {
        assert_warned(target(json!({"authority": authority, "weight": 1})), "spec.dstOverrides[0] is ignored");
    }
}

#[test]
fn what_proxies_ignore_is_warned_of() {
    let budget = |ratio: f64, min: u32, ttl: &str| {
        judge_budget(json!({"retryRatio": ratio, "minRetriesPerSecond": min, "ttl": ttl}))
    };
    assert_warned(budget(1001.0, 1, "1s"), "retryRatio is over 1000");
    assert_warned(budget(1.0, u32::MAX, "60s"), "minRetriesPerSecond is over 2147483647");
    assert_warned(budget(1.0, 1, "61s"), "ttl is not from 1s to 60s");
    assert_warned(judge(json!({"opaquePorts": ["3306"]})), "spec.opaquePorts is ignored");
    assert_warned(judge(json!({"opaquePorts": {"3306": {}}})), "spec.opaquePorts is ignored");
    let status = |status: Value| judge_class(json!({"condition": {"status": status}}));
    assert_warned(status(json!({"min": 200})), "one bound, which means 200 alone");
    assert_warned(status(json!({})), "its status range has no bounds");
    for name in ["web", "web-svc.emojivoto", "web-svc.emojivoto.pod.cluster.local", "web-svc.emojivoto.svc"] {
        assert_warned(judge_object(json!({"metadata": {"name": name}})), "is used for no Service");
    }
}

#[test]
fn deep_trees_are_rejected() {
    let nested = |levels: usize| (1..levels).fold(json!({"method": "GET"}), |child, _| json!({ "not": child }));
    assert_silent(judge_condition(nested(64)));
    let too_deep = "has a route with an invalid condition: conditions are nested deeper than 64 levels";
    assert_broken(judge_condition(nested(65)), too_deep);
    let all = (1..60).fold(json!({"method": "GET"}), |child, _| json!({ "all": [child] }));
    assert_warned(judge_condition(all), "deeper than proxies decode");
}

#[test]
fn warnings_are_bounded() {
    let routes: Vec<_> = (0..100).map(|i| json!({"name": i, "condition": {"pathRegex": "("}})).collect();
    assert_eq!(judge(json!({ "routes": routes })).unwrap().len(), 32);
}
