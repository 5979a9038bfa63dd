namespace ClipGen.Checkpoints.Tests;
public class T { [Fact] public void A() => Assert.True(true); }
