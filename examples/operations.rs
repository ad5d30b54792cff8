//! Prints the README's table of operations: `cargo run --example operations`.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

fn main() {
    print!("{}", strongroom::transport::aws_json::operations_table());
}
