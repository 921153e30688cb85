//! `hypertape explore` and `graph`, as a person meets them.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

/// A server that ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hypertape"))
            .args(["explore", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_once("http://").unwrap().1.split_once('/').unwrap().0.to_owned();
        Self { child, address }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn graph(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hypertape")).arg("graph").args(args).output().unwrap()
}

#[test]
fn pages_and_their_parts_are_served_on_loopback() {
    let server = Server::start();
    assert!(server.address.starts_with("127.0.0.1:"));
    let index = server.get("");
    for widget in teach::widgets() {
        assert!(index.contains(&format!("href=\"{}\"", widget.name)));
        let page = server.get(widget.name);
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("<form") && page.contains("charset=utf-8"));
    }
    let part = server.get("render/truncation?T=30&K=5");
    assert!(part.contains(&teach::answer("truncation", "T=30&K=5")));
    assert!(server.get("render/truncation?T=many").contains("is no number"));
    assert!(server.get("nowhere").starts_with("HTTP/1.1 404"));
    assert!(server.get(&format!("render/stepper?f={}", "(".repeat(3000))).contains("at most 2000"));
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 403"), "{text}");
}

/// The number that a page gives in full.
fn value(html: &str, name: &str) -> f64 {
    let rest = html.split_once(&format!("data-name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name}: {html}")).1;
    rest.split_once('"').unwrap().0.parse().unwrap()
}

#[test]
fn pages_answer_in_a_browser() {
    let Some(browser) = support::browser() else { return };
    let server = Server::start();
    let profile = std::env::temp_dir().join(format!("hypertape-explore-{}", std::process::id()));
    for (name, query, number) in [
        ("stepper", "f=sum(x%5E2)&mode=forward&step=3", "value"),
        ("cost", "n=60&m=2", "reverse"),
        ("truncation", "T=33&K=7", "truncated"),
        ("landscape", "method=implicit&u1=-1&u2=-2&steps=5", "F"),
        ("memory", "method=truncated&T=20&K=4", "bytes"),
        ("trust", "noise=10&step=15", "first"),
    ] {
        let run = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"])
            .args(["--virtual-time-budget=5000", &format!("--user-data-dir={}", profile.display())])
            .arg(format!("http://{}/{name}?{query}", server.address))
            .output()
            .unwrap();
        let (dom, log) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success() && !log.contains("CONSOLE"), "{name}: {log}");
        let native = teach::answer(name, query);
        assert_eq!(value(&dom, number), value(&native, number), "{name}");
        assert_ne!(value(&native, number), value(&teach::answer(name, ""), number), "{name}: the controls were moved");
    }
    std::fs::remove_dir_all(profile).ok();
}

#[test]
fn an_expression_is_shown_as_a_list_its_gradient_and_a_graph() {
    let run = graph(&["sum(sin(x)^2)"]);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success() && text.contains("sin") && text.contains("cos") && text.contains("digraph"), "{text}");
    let dot = graph(&["sum(sin(x)^2)", "--dot", "--gradient", "--n", "5"]);
    let dot = String::from_utf8(dot.stdout).unwrap();
    assert!(dot.starts_with("digraph") && dot.contains("cos"), "{dot}");
    for (args, words) in [
        (&["sin(x"][..], "a closing bracket is missing"),
        (&["sin(x)"], "sum(sin(x))?"),
        (&["2"], "does not reach"),
        (&["sum(x)", "--gradient"], "--dot"),
    ] {
        let run = graph(args);
        let message = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.code() == Some(2) && message.contains(words), "{args:?}: {message}");
    }
}

#[test]
fn pages_as_files_need_an_engine() {
    let run = Command::new(env!("CARGO_BIN_EXE_hypertape")).args(["explore", "--write", "x"]).output().unwrap();
    assert!(run.status.code() == Some(2) && String::from_utf8_lossy(&run.stderr).contains("docs/build"));
    assert!(!std::path::Path::new("x").exists());
}
