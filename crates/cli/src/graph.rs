//! `hypertape graph`: an expression as a program, its gradient, and both as graphs.

use crate::args;
use crate::output::Stream;
use autodiff::Program;
use modes::Expression;

type Failure = Box<dyn std::error::Error>;

pub(crate) fn run(args: &args::Graph) -> Result<(), Failure> {
    let expression = Expression::parse(&args.expression)?;
    let program = Program::record(&[&[args.n]], |x| expression.eval(&x[0]))?;
    if !program.output_shapes()[0].is_empty() {
        let shape = &program.output_shapes()[0];
        return Err(format!(
            "the result has shape {shape:?}, and a gradient is that of a number: sum({})?",
            args.expression
        )
        .into());
    }
    let gradient = program.grad(&[0])?.simplify();
    let mut out = Stream::new(false);
    if args.dot {
        return Ok(out.line(&(if args.gradient { &gradient } else { &program }).to_dot())?);
    }
    out.line(&format!("{program}\n{}\n", program.counts()))?;
    out.line(&format!("its gradient, by reverse mode\n{gradient}\n{}\n", gradient.counts()))?;
    out.line(&format!("as DOT\n{}", program.to_dot()))?;
    Ok(())
}
