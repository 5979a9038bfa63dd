namespace ClipGen.Kernels.Tests;

/// <summary>A backend with one broken op: moves the middle element of its first output.</summary>
internal sealed class WrongBackend(IBackend inner, string brokenOp, float by) : WrappingBackend(inner)
{
    public override string Name => "wrong";

    protected override void Around(OpWork work, Action<IBackend> call, params ReadOnlySpan<Written> outputs)
    {
        call(Inner);
        if (work.Op != brokenOp) return;
        if (outputs[0].Ints.IsNone) Move(outputs[0].Floats, x => x + by);
        else Move(outputs[0].Ints, x => x + (int)by);
    }

    private void Move<T>(View<T> output, Func<T, T> change) where T : unmanaged
    {
        var values = new T[output.Length];
        Inner.Download(output, values);
        values[values.Length / 2] = change(values[values.Length / 2]);
        Inner.Upload<T>(values, output);
    }
}
