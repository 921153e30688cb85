//! Programs as text and as Graphviz DOT.

use super::{Kind, Program};
use std::fmt;

impl Program {
    fn label(&self, place: u32) -> String {
        match &self.nodes[place as usize].kind {
            Kind::Input(position) => format!("x{position}"),
            Kind::Constant(_) => format!("c{place}"),
            Kind::Op(_) => format!("v{place}"),
        }
    }

    fn labels(&self, places: &[u32]) -> String {
        places.iter().map(|&p| self.label(p)).collect::<Vec<_>>().join(", ")
    }

    /// The program as a Graphviz digraph: `dot -Tsvg`.
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph program {\n  rankdir=TB;\n  node [fontname=\"monospace\"];\n");
        for (i, node) in self.nodes.iter().enumerate() {
            let place = i as u32;
            let (text, shape) = match &node.kind {
                Kind::Input(_) => (self.label(place), "box"),
                Kind::Constant(_) => (self.label(place), "note"),
                Kind::Op(op) => (op.to_string(), "ellipse"),
            };
            let bold = if self.outputs.contains(&place) { ", style=bold" } else { "" };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            dot += &format!("  n{i} [label=\"{text}\\n{:?}\", shape={shape}{bold}];\n", node.shape);
            for arg in &node.args {
                dot += &format!("  n{arg} -> n{i};\n");
            }
        }
        dot + "}\n"
    }
}

/// One line per value: `v3 [100, 10] = matmul(x0, x1)`.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inputs: Vec<String> =
            self.inputs.iter().map(|&i| format!("{} {:?}", self.label(i), self.nodes[i as usize].shape)).collect();
        writeln!(f, "program({}) {{", inputs.join(", "))?;
        for (i, node) in self.nodes.iter().enumerate() {
            let label = self.label(i as u32);
            match &node.kind {
                Kind::Input(_) => {}
                Kind::Constant(constant) => {
                    let values = match constant {
                        super::Constant::F32(t) => format!("{t}"),
                        super::Constant::F64(t) => format!("{t}"),
                    };
                    let values = values.split_whitespace().collect::<Vec<_>>().join(" ");
                    let short: String = values.chars().take(40).collect();
                    let more = if short.len() < values.len() { "…" } else { "" };
                    writeln!(f, "  {label} {:?} = constant {short}{more}", node.shape)?;
                }
                Kind::Op(op) => writeln!(f, "  {label} {:?} = {op}({})", node.shape, self.labels(&node.args))?,
            }
        }
        write!(f, "  return {}\n}}", self.labels(&self.outputs))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
