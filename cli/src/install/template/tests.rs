use super::{super::charts::Template as File, *};

/// A chart of one template.
fn rendered(template: &'static str, values: Value) -> anyhow::Result<String> {
    let templates: &'static [File] = Box::leak(Box::new([
        File { path: "_named.tpl", text: "{{ define \"named\" }}<{{ . }}>{{ end }}" },
        File { path: "x.yaml", text: template },
    ]));
    let chart = Chart { name: "test", metadata: "{name: test, version: 1.2.3, appVersion: 4}", values: "", templates };
    Ok(render(&chart, &values, "l5d")?.remove(0).1)
}

#[test]
fn functions_give_what_those_of_helm_give() {
    let values = json!({
        "name": "a\"b\\\n", "none": null, "zero": 0, "off": false, "number": 7, "text": "42",
        "map": { "b": "1", "a": ["x", {"y": "z"}] }, "list": ["p", "q"],
    });
    let cases = [
        ("{{ .Values.name | quote }}", r#""a\"b\\\n""#),
        ("{{ .Values.none | quote }}", ""),
        ("{{ .Values.number | quote }}", "\"7\""),
        (
            "{{ default \"d\" .Values.zero }},{{ .Values.off | default \"d\" }},{{ .Values.number | default 1 }}",
            "d,d,7",
        ),
        ("{{ \"a\\nb\" | nindent 2 }}", "\n  a\n  b"),
        ("{{ toYaml .Values.map }}", "a:\n- x\n- \"y\": z\nb: \"1\""),
        ("{{ toJson .Values.map }}", r#"{"a":["x",{"y":"z"}],"b":"1"}"#),
        ("{{ int .Values.text }},{{ int .Values.none }},{{ int 1.9 }}", "42,0,1"),
        ("{{ ternary \"y\" \"n\" .Values.off }}", "n"),
        ("{{ has \"q\" .Values.list }},{{ has 1 .Values.list }}", "true,false"),
        ("{{ join \"-\" (concat .Values.list (list 1)) }}", "p-q-1"),
        ("{{ get (set (dict \"a\" 1) \"b\" 2) \"b\" }},{{ get (dict) \"x\" }}", "2,"),
        ("{{ toJson (omit .Values.map \"a\") }}", r#"{"b":"1"}"#),
        (
            "{{ toJson (merge (dict \"a\" \"\" \"c\" (dict \"x\" 1)) (dict \"a\" 2 \"n\" nil \"c\" (dict \"x\" 3 \"y\" 4))) }}",
            r#"{"a":2,"c":{"x":1,"y":4}}"#,
        ),
        ("{{ include \"named\" 5 | quote }}", "\"<5>\""),
        ("{{ tpl \"{{ include `named` .Release.Namespace }}\" . }}", "<l5d>"),
        ("{{ \" a \" | trim | b64enc }},{{ trimSuffix \"/\" \"r/\" }},{{ replace \"+\" \"_\" \"1+2\" }}", "YQ==,r,1_2"),
        ("{{ .Chart.Name }} {{ .Chart.Version }} {{ .Release.Service }}", "test 1.2.3 CLI"),
        ("{{ range $i, $x := .Values.list }}{{ if $i }},{{ end }}{{ $x }}{{ end }}", "p,q"),
        ("{{ $x := 1 }}{{ range list 2 3 }}{{ $x = . }}{{ end }}{{ $x }}", "3"),
    ];
    for (template, expected) in cases {
        assert_eq!(rendered(template, values.clone()).unwrap(), expected, "{template}");
    }
}

#[test]
fn what_a_template_refuses_is_said_in_its_own_words() {
    let error = rendered("{{ if .Values.a }}{{ fail (printf \"a is %v\" .Values.a) }}{{ end }}", json!({"a": 1}));
    assert_eq!(error.unwrap_err().to_string(), "a is 1");
}

#[test]
fn a_fault_of_a_template_names_it() {
    for template in ["{{ nope }}", "{{ .Values.a.b }}", "{{ quote .Values.a }}: {{ .Values.a }}", "{{ join 1 2 }}"] {
        let error = format!("{:#}", rendered(template, json!({})).unwrap_err());
        assert!(error.contains("x.yaml"), "{template}: {error}");
    }
}

#[test]
fn yaml_reads_back_as_what_it_was() {
    let texts = [
        "",
        "y",
        "No",
        "on",
        "null",
        "~",
        "012",
        "1_000",
        "1e3",
        "0x1f",
        "12:30",
        "2001-01-01",
        "=",
        "<<",
        "- a",
        "# c",
        " lead",
        "trail ",
        "a: b",
        "a #b",
        "a\nb",
        "a\nb\n",
        "a\n\nb",
        "\n",
        " a\nb",
        "a\n b",
        "%x",
        "@x",
        "`x",
        "!x",
        "&x",
        "*x",
        "'",
        "\"",
        "\\",
        "\t",
        "é",
        "{}",
        "[]",
        "25%",
        "10.0.0.0/8,::1",
        "-1",
        ".5",
        "---",
        "a\n---\nb",
        "$(_pod_ip)",
        "warn,linkerd=info",
        "/path",
        "null\nnull",
        "C:\\x\ny",
        "\u{7f}",
        "\u{85}",
        "a\r\nb",
    ];
    let mut map = serde_json::Map::new();
    for text in texts {
        map.insert(text.to_owned(), json!([text, { "k": text, "l": [[text]] }, [], {}, null, true, 1, -2, 1.5]));
    }
    map.insert("deep".to_owned(), json!({ "a": { "b": { "c": "x\ny" } } }));
    let value = Value::Object(map);
    let yaml = to_yaml(&value);
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), value, "{yaml}");
    assert_eq!(to_yaml(&json!("top\nlevel")), "|-\n  top\n  level");
}
