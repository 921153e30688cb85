//! What the pages answer to a few questions, natively: a line `question number number …` each, for `docs/agree.mjs` to compare
//! with what WebAssembly answers.

fn main() {
    let questions = [
        ("stepper", vec!["", "f=lse(3*x)%2Bprod(tanh(x))&mode=forward", "f=sum(x%5E0.7%2Ferf(x))"]),
        ("cost", vec!["", "n=3&m=50"]),
        ("truncation", vec!["", "T=111&K=37&eta=0.9&u=-0.7", "T=1&K=1"]),
        ("landscape", vec!["", "method=implicit&T=33&k=1&u1=-2.35&u2=0.4&steps=12", "method=truncated&K=5&steps=40"]),
        ("memory", vec!["", "method=truncated&T=20&K=4", "method=forward&m=5"]),
        ("trust", vec!["", "noise=10&rate=0.3&step=40", "method=plain&step=100", "method=hyper-cleaning&step=60"]),
    ];
    for (name, queries) in questions {
        for query in queries {
            let html = teach::answer(name, query);
            let numbers: Vec<&str> =
                html.split("value=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(x, _)| x).collect();
            assert!(!numbers.is_empty(), "{name}?{query}: {html}");
            println!("{name}?{query} {}", numbers.join(" "));
        }
    }
}
