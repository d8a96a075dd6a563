use super::*;
use serde_json::json;

fn parsed(text: &str) -> anyhow::Result<Value> {
    let mut values = json!({});
    set(&mut values, text, Kind::Typed).map(|()| values)
}

#[test]
fn values_have_the_type_that_they_look_like() {
    let cases = [
        ("a=1,b=-2,c=0,d=007,e=1.5,f=+3", json!({"a": 1, "b": -2, "c": 0, "d": "007", "e": "1.5", "f": 3})),
        ("a=true,b=FALSE,c=null,d=,e=yes", json!({"a": true, "b": false, "c": null, "d": "", "e": "yes"})),
        ("a.b.c=x,a.b.d=y,a.e=z", json!({"a": {"b": {"c": "x", "d": "y"}, "e": "z"}})),
        ("a={x,1,},b={}", json!({"a": ["x", 1, ""], "b": []})),
        ("a[1]=x,a[0].b=y,c[0][1]=z", json!({"a": [{"b": "y"}, "x"], "c": [[null, "z"]]})),
        (r"a\.b=1\,2,c=d\\e", json!({"a.b": "1,2", "c": r"d\e"})),
        (r"s.config\.linkerd\.io/x=a=b", json!({"s": {"config.linkerd.io/x": "a=b"}})),
        ("", json!({})),
        ("a=1,", json!({"a": 1})),
        ("a=1,a=2,b=x,b.c=3", json!({"a": 2, "b": {"c": 3}})),
    ];
    for (text, expected) in cases {
        assert_eq!(parsed(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn a_text_stays_a_text_when_told() {
    let mut values = json!({});
    set(&mut values, "a=1,b={true,null}", Kind::Text).unwrap();
    assert_eq!(values, json!({"a": "1", "b": ["true", "null"]}));
}

#[test]
fn a_file_gives_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    std::fs::write(&path, "two\nlines\n").unwrap();
    let mut values = json!({});
    set(&mut values, &format!("a.b={}", path.display()), Kind::File).unwrap();
    assert_eq!(values, json!({"a": {"b": "two\nlines\n"}}));
    let error = format!("{:#}", set(&mut values, "a=/nowhere", Kind::File).unwrap_err());
    assert!(error.contains("cannot read /nowhere"), "{error}");
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let deep = format!("{}=1", "a.".repeat(40) + "a");
    let cases = [
        ("a", "key \"a\" has no value"),
        ("a=1,b", "key \"b\" has no value"),
        ("a.=1", "a name is empty"),
        ("=1", "a name is empty"),
        ("a[x]=1", "\"x\" is no index"),
        ("a[-1]=1", "\"-1\" is no index"),
        ("a[0", "an index has no ]"),
        ("a[99999999]=1", "above 65536"),
        ("a[0]", "key \"a[0]\" has no value"),
        ("a={1,2", "a list must end with }"),
        ("a={1}x", "unexpected 'x'"),
        (deep.as_str(), "levels deep"),
    ];
    for (text, reason) in cases {
        let error = format!("{:#}", parsed(text).unwrap_err());
        assert!(error.contains(reason) && error.contains("failed parsing"), "{text}: {error}");
    }
}
