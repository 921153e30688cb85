//! `hypertape explore`: the pages of `teach`, from a server of one's own or as files.

use crate::args;
use crate::output::Stream;
use bilevel::write_whole;
use std::fs;
use std::path::Path;
use teach::{Engine, answer, page, widget, widgets};
use tiny_http::{Header, Response, Server};

type Failure = Box<dyn std::error::Error>;

pub(crate) fn run(args: &args::Explore) -> Result<(), Failure> {
    match &args.write {
        Some(folder) => files(folder, args.engine.as_deref()),
        None => serve(args.port),
    }
}

/// Pages that carry the engine with them.
fn files(folder: &Path, engine: Option<&Path>) -> Result<(), Failure> {
    let Some(engine) = engine else {
        return Err("--write needs --engine: teach.wasm, gzipped, in base64; docs/build makes it".into());
    };
    let code = fs::read_to_string(engine).map_err(|e| format!("{}: {e}", engine.display()))?;
    let code: String = code.split_whitespace().collect();
    fs::create_dir_all(folder).map_err(|e| format!("cannot write {}: {e}", folder.display()))?;
    let write = |name: &str, text: &str| -> Result<(), Failure> {
        let path = folder.join(name);
        write_whole(&path, text.as_bytes()).map_err(|e| format!("cannot write {}: {e}", path.display()).into())
    };
    for widget in widgets() {
        write(&format!("{}.html", widget.name), &page(&widget, &Engine::Inside(code.clone())))?;
    }
    write("index.html", &index(".html"))
}

/// Answers on loopback until it is stopped.
fn serve(port: u16) -> Result<(), Failure> {
    let server = Server::http(("127.0.0.1", port)).map_err(|e| format!("port {port}: {e}"))?;
    Stream::new(false).line(&format!("open http://{}/ in a browser; Ctrl-C ends it", server.server_addr()))?;
    let html = Header::from_bytes("Content-Type", "text/html; charset=utf-8").map_err(|()| "a header is no header")?;
    for request in server.incoming_requests() {
        // Pages of others may make a browser ask; what they ask in is another name.
        let host = request.headers().iter().find(|h| h.field.equiv("Host")).map_or("", |h| h.value.as_str());
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        if !["127.0.0.1", "localhost"].contains(&name) {
            let _ =
                request.respond(Response::from_string("this server answers this machine alone").with_status_code(403));
            continue;
        }
        let address = request.url().trim_start_matches('/').to_owned();
        let (path, query) = address.split_once('?').unwrap_or((&address, ""));
        let (status, text) = match (path, path.strip_prefix("render/")) {
            ("", _) => (200, index("")),
            (_, Some(name)) => (200, answer(name, query)),
            (name, None) => match widget(name) {
                Some(widget) => (200, page(&widget, &Engine::Server)),
                None => (404, format!("there is no page {}", figures::escape(name))),
            },
        };
        // A reader who went away is no failure of ours.
        let _ = request.respond(Response::from_string(text).with_status_code(status).with_header(html.clone()));
    }
    Ok(())
}

fn index(ending: &str) -> String {
    let one = |w: &teach::Widget| format!("<li><a href=\"{}{ending}\">{}</a>: {}</li>\n", w.name, w.title, w.about);
    let list: String = widgets().iter().map(one).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\">\
         <title>Hypergradients to look at</title><style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;\
         max-width:40rem;margin:2rem auto;padding:0 1rem}}li{{margin:.7rem 0}}</style></head><body>\n\
         <h1>Hypergradients to look at</h1>\n<ul>\n{list}</ul>\n</body></html>\n"
    )
}
