@main enum Baton { static func main() {} }
