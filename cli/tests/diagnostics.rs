//! The diagnostics commands against an API that answers from a script.

mod api;

use api::Api;
use std::process::{Command, Output};

/// Runs the program, while this thread's runtime serves the API.
async fn linkerd(api: &Api, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linkerd"));
    command.arg("diagnostics").args(arguments).args(["--api-addr", &api.address.to_string()]).env_clear();
    tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("the program runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[track_caller]
fn result(output: &Output) -> &str {
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    text(&output.stdout)
}

#[track_caller]
fn error(output: &Output) -> &str {
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    text(&output.stderr)
}

#[tokio::test]
async fn endpoints_of_several_namespaces_are_tables_of_their_own() {
    let api = Api::start().await;
    let output = linkerd(&api, &["endpoints", "web.emojivoto", "books.b", "--token", "ns:x"]).await;
    insta::assert_snapshot!(result(&output), @"
    NAMESPACE   IP          PORT   POD        SERVICE
    b           10.0.0.2    8080   books-2    books.b
    b           10.0.0.10   8080   books-10   books.b

    NAMESPACE   IP          PORT   POD        SERVICE
    emojivoto   10.0.0.2    8080   web-2      web.emojivoto
    emojivoto   10.0.0.10   8080   web-10     web.emojivoto
    ");
    let asked = api.requests();
    assert_eq!(
        asked[0].split_whitespace().collect::<Vec<_>>(),
        ["get", "scheme=http:", "path=web.emojivoto", "token=ns:x"]
    );
}

// Acceptance case 47 of the command line.
#[tokio::test]
async fn a_named_api_is_asked_without_a_cluster() {
    let api = Api::start().await;
    for command in [&["endpoints", "empty.b", "-o", "json"][..], &["profile", "web.b"], &["policy", "po/web", "80"]] {
        let output = linkerd(&api, &[command, &["--kubeconfig", "no/such/file"]].concat()).await;
        assert!(!result(&output).is_empty(), "{command:?}");
    }
}

#[tokio::test]
async fn endpoints_as_json_are_an_array_that_may_be_empty() {
    let api = Api::start().await;
    let output = linkerd(&api, &["endpoints", "books.b", "-o", "json"]).await;
    insta::assert_snapshot!(result(&output), @r#"
    [
      {
        "namespace": "b",
        "ip": "10.0.0.2",
        "port": 8080,
        "pod": "books-2",
        "service": "books.b",
        "weight": 10000,
        "labels": {
          "pod": "books-2",
          "zone": ""
        }
      },
      {
        "namespace": "b",
        "ip": "10.0.0.10",
        "port": 8080,
        "pod": "books-10",
        "service": "books.b",
        "weight": 10000,
        "labels": {
          "pod": "books-10",
          "zone": ""
        }
      }
    ]
    "#);
    assert_eq!(result(&linkerd(&api, &["endpoints", "empty.b", "-o", "json"]).await), "[]\n");
}

#[tokio::test]
async fn endpoints_that_went_are_not_shown() {
    let api = Api::start().await;
    let output = linkerd(&api, &["endpoints", "shrinking.b"]).await;
    assert!(result(&output).contains("10.0.0.2"), "{}", text(&output.stdout));
    assert!(!result(&output).contains("10.0.0.1 "), "{}", text(&output.stdout));
}

#[tokio::test]
async fn a_service_without_endpoints_is_no_failure() {
    let api = Api::start().await;
    let output = linkerd(&api, &["endpoints", "empty.b"]).await;
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""));
    assert_eq!(text(&output.stderr), "No endpoints found.\n");
}

#[tokio::test]
async fn one_refused_authority_fails_all_with_the_message_only() {
    let api = Api::start().await;
    let output = linkerd(&api, &["endpoints", "web.emojivoto", "nope.ns"]).await;
    assert_eq!(error(&output), "Destination API error: Service nope.ns not found\n");
}

#[tokio::test]
async fn a_silent_api_is_told_after_the_limit() {
    let api = Api::start().await;
    let (endpoints, profile) = tokio::join!(
        linkerd(&api, &["endpoints", "web.emojivoto", "silent.b"]),
        linkerd(&api, &["profile", "silent.b"])
    );
    assert_eq!(error(&endpoints), "Destination API error: no answer for silent.b within 5 s\n");
    let late = "Destination API error: rpc error: code = DeadlineExceeded desc = no answer within 5 s\n";
    assert_eq!(error(&profile), late);
}

#[tokio::test]
async fn a_profile_is_json() {
    let api = Api::start().await;
    insta::assert_snapshot!(result(&linkerd(&api, &["profile", "web.emojivoto:80", "--token", "t"]).await), @r#"
    {
      "fully_qualified_name": "web",
      "opaque_protocol": true,
      "parent_ref": {
        "Kind": {
          "Resource": {
            "kind": "Service",
            "name": "web"
          }
        }
      }
    }
    "#);
    assert_eq!(api.requests(), ["profile path=web.emojivoto:80 token=t"]);
    let output = linkerd(&api, &["profile", "nope"]).await;
    let refused = "Destination API error: rpc error: code = InvalidArgument desc = invalid authority: \"nope\"\n";
    assert_eq!(error(&output), refused);
}

#[tokio::test]
async fn the_policy_of_a_pod_is_asked_for_its_workload_and_shown_as_yaml() {
    let api = Api::start().await;
    insta::assert_snapshot!(result(&linkerd(&api, &["policy", "po/web", "8080", "-n", "ns"]).await), @r#"
    labels:
      group: ""
      kind: default
      name: all-unauthenticated
    protocol:
      Kind:
        Detect:
          timeout:
            seconds: 10
    "#);
    assert_eq!(api.requests(), ["port workload=ns:web port=8080"]);
    let output = linkerd(&api, &["policy", "po/unknown", "80"]).await;
    let first = error(&output).lines().next().unwrap();
    let not_found = "Error: rpc error: code = NotFound desc = unknown server";
    assert_eq!(first, format!("{not_found} (pod \"unknown\" in namespace \"default\")"));
    assert!(error(&output).contains("Usage: linkerd diagnostics policy"), "{}", error(&output));
}

#[tokio::test]
async fn the_policy_of_a_service_is_asked_for_its_authority_and_may_be_json() {
    let api = Api::start().await;
    insta::assert_snapshot!(result(&linkerd(&api, &["policy", "svc/x", "8080", "-n", "ns", "-o", "json"]).await), @r#"
    {
      "metadata": {
        "Kind": {
          "Default": "default"
        }
      }
    }
    "#);
    assert_eq!(api.requests(), ["outbound workload=default:diagnostics authority=x.ns.svc:8080"]);
}
