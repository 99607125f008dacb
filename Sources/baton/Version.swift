let v: Int = 1
