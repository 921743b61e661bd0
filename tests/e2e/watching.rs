//! Logs of requests: they serve the operator and contain no credential.

use serde_json::{Value, json};

use super::edge::Edge;
use super::media;
use super::{LECTURE, MASTER, Walk, walk};

#[test]
fn a_request_is_a_line_in_the_log_and_no_line_opens_anything() {
    let edge = Edge::with_log();
    edge.publish(media::package(), LECTURE);
    let Walk { playlists, objects } = walk(&edge);
    let token = edge.token_of(json!({"path": LECTURE, "sub": "ada@school.example"}));
    let asked = [
        format!("{MASTER}?token={token}"),
        format!("{MASTER}?token={token}&as=directory"),
        playlists[0].clone(),
        objects[0].clone(),
        format!("{MASTER}?p=AAAA"),
        "/%zz?secret".to_owned(),
    ];
    let mut urls: Vec<String> = asked.to_vec();
    for url in &asked {
        let reply = edge.send("GET", url, &[], &[]);
        if let Some(location) = reply.header("location") {
            assert_eq!(edge.get(location).verdict(), "200", "{location}");
            urls.push(location.to_owned());
        }
    }
    edge.logged(r#""reason":"the path has a percent sign"#);
    let log = edge.log();
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with(r#"{"method""#))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(lines.len() >= playlists.len() + asked.len(), "{log}");
    let of = |key: &str| {
        let mut found = lines.iter().filter(|line| line["key"] == key);
        found
            .next_back()
            .unwrap_or_else(|| panic!("no {key} in {log}"))
    };
    let segment = of(objects[0]
        .split('?')
        .next()
        .unwrap_or_default()
        .trim_start_matches('/'));
    assert_eq!(segment["status"], 200);
    assert_eq!(segment["cache"], "miss");
    assert!(segment["bytes"].as_u64().expect("a number") > 500);
    assert_eq!(of(MASTER.trim_start_matches('/'))["code"], "forbidden");
    // Credentials and viewers: links and passes, in queries and in paths; and names.
    let ours: String = lines.iter().map(Value::to_string).collect();
    let secrets = urls.iter().flat_map(|url| {
        let credentials = url.split(['?', '&', '/', '=']);
        credentials.filter(|part| part.len() > 24 && !part.contains('.') || part.starts_with("eyJ"))
    });
    let secrets: Vec<&str> = secrets
        .map(|secret| secret.trim_start_matches('~'))
        .collect();
    assert!(secrets.len() >= 4, "{secrets:?}");
    for secret in secrets
        .into_iter()
        .chain(["ada@school", "secret", "127.0.0.1"])
    {
        assert!(!ours.contains(secret), "{secret} in {ours}");
    }
}

#[test]
fn a_request_is_a_data_point_of_lecture_viewer_and_rung() {
    let edge = Edge::with_faults();
    edge.publish(media::package(), LECTURE);
    let Walk { objects, .. } = walk(&edge);
    let url = objects
        .iter()
        .find(|url| url.contains("/720p/seg00002"))
        .expect("a segment");
    edge.get("/__faults/points");
    let length = edge.get(url).body.len();
    edge.send("GET", url, &[("range", "bytes=0-9")], &[]);
    edge.get(url.split('?').next().expect("a path"));
    let points = edge.get("/__faults/points").json();
    let lecture = LECTURE.trim_matches('/');
    let viewer = points[0]["blobs"][1].as_str().expect("a viewer").to_owned();
    assert_eq!(viewer.len(), 12);
    let point = |bytes: usize, status: u16| {
        json!({
            "indexes": [lecture],
            "blobs": [lecture, viewer, "segment"],
            "doubles": [720, bytes, status, 2],
        })
    };
    assert_eq!(
        points,
        json!([point(length, 200), point(10, 206), point(0, 401)])
    );
}
