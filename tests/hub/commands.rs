//! The contract of `frostline hub`: other programs read these lines and these exit codes.

use crate::loopback::models::{SMALL, mobilenet, text_facts};
use crate::loopback::{Fault, Host, LoopbackHub, Repo};
use crate::support::{Scratch, keys};
use crate::{User, repo_folder};
use frostline::session::projects::{Recent, Remembered};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

const ID: &str = "owner/small-bert";

/// Many models that are nothing but their names.
fn crowd(count: usize) -> Vec<Repo> {
    let repo = |n: usize| {
        let mut facts = text_facts(if n.is_multiple_of(2) { "bert" } else { "wav2vec2" });
        if n.is_multiple_of(5) {
            facts["pipeline_tag"] = json!("fill-mask");
        }
        Repo { downloads: 1000 - n as u64, ..Repo::new(&format!("crowd/model-{n:04}"), [], facts) }
    };
    (0..count).map(repo).collect()
}

fn ids(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["id"].as_str().unwrap()).collect()
}

#[test]
fn a_search_gives_a_line_for_each_model_in_the_order_of_downloads() {
    let mut repos = crowd(350);
    repos.push(Repo { downloads: 5, ..mobilenet() });
    repos.push(Repo::new("crowd/paints", [], json!({"pipeline_tag": "text-to-image", "tags": []})));
    let hub = LoopbackHub::start(repos);
    let user = User::of(&hub);
    let found = user.hub(&["search", "model", "--limit", "230", "--json"]).code(0).lines();
    assert_eq!(found.len(), 230);
    let expected: Vec<String> = (0..230).map(|n| format!("crowd/model-{n:04}")).collect();
    assert_eq!(ids(&found), expected);
    let line = &found[1];
    assert_eq!(
        keys(line),
        ["downloads", "family", "id", "kind", "licence", "parameters", "reason", "supported"]
    );
    assert_eq!((&line["supported"], &line["family"]), (&json!(false), &json!("wav2vec2")));
    assert!(line["reason"].as_str().unwrap().contains("does not know the family wav2vec2"));
    assert_eq!((&found[0]["supported"], &found[0]["reason"]), (&json!(true), &Value::Null));
    assert_eq!(
        (&found[0]["kind"], &found[0]["licence"], &found[0]["family"]),
        (&json!("text"), &json!("mit"), &json!("BERT"))
    );
    // Two tasks of the Hub, merged in the order of downloads.
    let texts = user.hub(&["search", "model", "--kind", "text", "--limit", "120", "--json"]).code(0).lines();
    assert_eq!(ids(&texts), expected[..120]);
    let images = user.hub(&["search", "", "--kind", "image", "--json"]).code(0).lines();
    assert_eq!(ids(&images), ["timm/mobilenetv2_100.ra_in1k"]);
    assert_eq!((&images[0]["family"], &images[0]["parameters"]), (&json!("MobileNetV2"), &json!(3_504_872)));
    assert!(user.hub(&["search", "paints", "--json"]).code(0).stdout.is_empty());
    assert!(user.hub(&["search", "mobilenet"]).code(0).stdout.contains("timm/mobilenetv2_100.ra_in1k"));
    // Nothing but lists was asked for.
    assert!(hub.seen().iter().all(|seen| seen.path == "/api/models"));
    hub.assert_token_stayed();
}

#[test]
fn a_page_says_what_is_known_before_the_download() {
    let hub = LoopbackHub::start(vec![mobilenet(), SMALL.repo(ID)]);
    let user = User::of(&hub);
    let page = user.hub(&["info", "timm/mobilenetv2_100.ra_in1k", "--json"]).code(0).object();
    let expected = json!({"id": "timm/mobilenetv2_100.ra_in1k", "revision": mobilenet().commit, "kind": "image",
        "family": "MobileNetV2", "supported": true, "reason": null, "needs_pickle": false, "parameters": 2_223_872,
        "input": "image 224×224", "licence": "apache-2.0", "gated": false, "here_bytes": 0});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&page[key], value, "{key}");
    }
    assert!(page["download_bytes"].as_u64().unwrap() > 7_000_000 && page["memory_bytes"].is_u64());
    assert!(["f16", "f32"].contains(&page["dtype"].as_str().unwrap()));
    // The header came, the data did not.
    assert!(hub.stored_bytes() < 150_000, "{}", hub.stored_bytes());
    let text = user.hub(&["info", ID, "--revision", "main"]).code(0).stdout;
    assert!(text.contains("text, 64 tokens") && text.contains("BERT"), "{text}");
    hub.assert_token_stayed();
}

#[test]
fn a_gated_model_has_a_page_for_everybody() {
    let hub = LoopbackHub::start(vec![SMALL.repo(ID).gated()]);
    let user = User::of(&hub);
    let ask = |command: &str| {
        let mut program = user.program();
        program.env_remove("HF_TOKEN").args(["hub", command, ID, "--json"]);
        crate::support::Answer::new(program.output().unwrap())
    };
    let page = ask("info").code(0).object();
    assert_eq!((&page["gated"], &page["supported"]), (&json!(true), &json!(false)));
    assert!(page["reason"].as_str().unwrap().contains("its owner must be asked first"));
    ask("download").code(2).says("HF_TOKEN");
    assert!(hub.seen().iter().all(|seen| seen.authorization.is_none()));
    // With the token it is open.
    user.hub(&["download", ID]).code(0);
    hub.assert_token_stayed();
}

#[test]
fn a_download_speaks_in_events() {
    let hub = LoopbackHub::start(vec![SMALL.repo(ID)]);
    hub.fault(Host::Hub, "tokenizer.json", 1, Fault::Status(500, Vec::new()));
    let user = User::of(&hub);
    let events = user.hub(&["download", ID, "--json"]).code(0).lines();
    let (last, others) = events.split_last().unwrap();
    assert_eq!((keys(last), &last["event"]), (vec!["event", "path", "revision"], &json!("finished")));
    assert_eq!(last["revision"], SMALL.repo(ID).commit);
    for event in others.iter().filter(|event| event["event"] == "progress") {
        assert_eq!(keys(event), ["bytes", "bytes_per_second", "event", "file", "total"]);
        assert!(event["bytes"].as_u64() <= event["total"].as_u64(), "{event}");
    }
    let files: Vec<&str> =
        others.iter().filter(|e| e["bytes"] == e["total"]).filter_map(|e| e["file"].as_str()).collect();
    assert_eq!(
        files,
        ["config.json", "README.md", "tokenizer.json", "1_Pooling/config.json", "model.safetensors"]
    );
    assert!(
        others.iter().any(|e| e["event"] == "warning" && e["what"].as_str().unwrap().contains("answers 500"))
    );
    // It is a backbone like any other now.
    let listed = user.run(["backbones", "--json"]).code(0).lines();
    assert!(ids(&listed).contains(&ID));
    user.run(["tree", ID]).code(0);
    hub.assert_token_stayed();
}

#[test]
fn the_exit_code_says_whose_turn_it_is() {
    let hub = LoopbackHub::start(vec![SMALL.repo(ID)]);
    let user = User::of(&hub);
    user.hub(&["info", "owner/nothing"]).code(2).says("is not on the Hub");
    user.hub(&["download", "../../etc"]).code(2).says("is no name of a model");
    user.hub(&["download", ID, "--revision", "../x"]).code(2).says("is no revision");
    user.hub(&["verify", ID]).code(2).says("there is no backbone called");
    let failed = user.hub(&["download", ID, "--revision", "v9", "--json"]).code(2).object();
    assert_eq!(keys(&failed), ["event", "path", "try", "what", "why"]);
    hub.fault(Host::Hub, "", u64::MAX, Fault::Body(b"<html>".into()));
    user.hub(&["search", "bert"]).code(3).says("error: the search did not work");
    let mut offline = user.program();
    offline.env("HF_HUB_OFFLINE", "1").args(["hub", "download", ID]);
    crate::support::Answer::new(offline.output().unwrap()).code(3).says("HF_HUB_OFFLINE");
    let mut mistyped = user.program();
    mistyped.env("HF_ENDPOINT", "hub").args(["hub", "search", "x"]);
    crate::support::Answer::new(mistyped.output().unwrap()).code(2).says("HF_ENDPOINT");
}

#[test]
fn a_damaged_backbone_is_found_and_repaired() {
    let hub = LoopbackHub::start(vec![SMALL.repo(ID)]);
    let user = User::of(&hub);
    user.hub(&["download", ID]).code(0);
    let verified = user.hub(&["verify", ID, "--json"]).code(0).object();
    assert_eq!(keys(&verified), ["broken", "bytes", "files", "id", "revision"]);
    assert_eq!((&verified["files"], &verified["broken"]), (&json!(5), &json!([])));
    let blob = repo_folder(&user.cache(), ID).join("blobs").join(SMALL.repo(ID).sha256("model.safetensors"));
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[900_000] ^= 4;
    std::fs::write(&blob, &bytes).unwrap();
    let answer = user.hub(&["verify", ID, "--json"]).code(1).says("--repair");
    assert_eq!(answer.object()["broken"][0]["file"], "model.safetensors");
    let before = hub.stored_bytes();
    user.hub(&["verify", ID, "--repair"]).code(0);
    assert!(hub.stored_bytes() - before > 900_000);
    user.hub(&["verify"]).code(0);
}

#[test]
fn what_is_here_is_listed_and_removed() {
    let hub = LoopbackHub::start(vec![SMALL.repo(ID)]);
    let user = User::of(&hub);
    user.hub(&["download", ID]).code(0);
    let scratch = Scratch::new();
    let (data, project) = (scratch.table("reviews.csv", 24), scratch.path("project"));
    let paths = ["--data", data.to_str().unwrap(), "--out", project.to_str().unwrap()];
    user.run(["new", "--backbone", ID].iter().chain(&paths)).code(0);
    // As the window leaves it.
    let recent = Recent {
        folder: project.clone(),
        name: "reviews".into(),
        result: String::new(),
        pictures: Vec::new(),
        texts: Vec::new(),
    };
    let remembered = Remembered { recent: vec![recent], ..Remembered::default() };
    std::fs::create_dir_all(user.home()).unwrap();
    std::fs::write(user.home().join("window.json"), json!(remembered).to_string()).unwrap();
    let kept = user.hub(&["list", "--json"]).code(0).lines();
    let own = kept.iter().find(|entry| entry["id"] == ID).unwrap();
    assert_eq!(
        keys(own),
        [
            "bytes",
            "family",
            "folder",
            "id",
            "incomplete_bytes",
            "kind",
            "last_used",
            "reason",
            "revision",
            "source",
            "supported",
            "used_by"
        ]
    );
    assert_eq!(
        (&own["source"], &own["kind"], &own["supported"]),
        (&json!("cache"), &json!("text"), &json!(true))
    );
    assert_eq!(own["used_by"], json!([project]));
    assert!(kept.iter().filter(|entry| entry["source"] == "bundled").count() >= 3);
    assert!(user.hub(&["list"]).code(0).stdout.contains(ID));
    user.hub(&["remove", "mobilenetv2_100"]).code(2).says("it came with Frostline");
    // What a killed removal left of others is cleared too, and is no download.
    let of = |id: &str| user.cache().join(".locks").join(format!("models--{}", id.replace('/', "--")));
    let left = [of(ID), of("some/other"), user.home().join("backbones")]
        .map(|beside| beside.join(".partial-a1B2c3/removed"));
    left.iter().for_each(|left| std::fs::create_dir_all(left).unwrap());
    user.hub(&["remove", ID]).code(0);
    assert!(!repo_folder(&user.cache(), ID).exists());
    assert_eq!(left.map(|left| left.exists()), [false; 3]);
    user.hub(&["remove", ID]).code(2).says("there is no backbone called");
}

#[test]
fn a_proxy_is_asked_unless_the_host_is_excepted() {
    let hub = LoopbackHub::start(vec![SMALL.repo(ID)]);
    let user = User::of(&hub);
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let (asked, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in proxy.incoming().flatten() {
            let mut first = String::new();
            BufReader::new(&stream).read_line(&mut first).unwrap();
            asked.send(first).unwrap();
            (&stream).write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let search = |name: &str, value: &str| {
        let mut program = user.program();
        program.env("HTTP_PROXY", &address).env(name, value).args(["hub", "search", "bert", "--json"]);
        crate::support::Answer::new(program.output().unwrap())
    };
    search("NO_PROXY", "example.org").code(3);
    let host = hub.endpoint().trim_start_matches("http://");
    let first = heard.try_recv().unwrap();
    assert!(first.contains(host), "{first}");
    assert!(hub.seen().is_empty(), "the proxy was passed by");
    assert_eq!(search("NO_PROXY", "localhost,127.0.0.1").code(0).lines().len(), 1);
    search("HTTP_PROXY", "not an address").code(2).says("the proxy cannot be used");
}
